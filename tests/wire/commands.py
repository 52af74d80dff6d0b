"""Every command that says something, played where nothing goes wrong: which calls do they make?"""

from rollback_responder.cli import main
from tests.wire.stories import asking, quiet, rolled_back

# How each is said, and where.
SAID = {
    "approve": (asking, ("approve", "ID")),
    "hold": (asking, ("hold", "ID")),
    "undo": (rolled_back, ("undo", "ID")),
    "label": (rolled_back, ("label", "ID", "right")),
    "fix-forward": (quiet, ("fix-forward", "shop", "--hours", "1")),
    "freeze": (quiet, ("freeze", "shop", "--hours", "1")),
    "pause": (quiet, ("pause",)),
    "resume": (quiet, ("resume",)),
    "now": (quiet, ("now", "shop")),
    "drill": (quiet, ("drill", "shop")),
}


def names():
    """The commands of the panel, as the command line has them."""
    return {
        command.name or command.callback.__name__.replace("_", "-")
        for command in main.build().registered_commands
        if command.rich_help_panel == main.SAY
    }
