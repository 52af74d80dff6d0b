"""What can be rolled back: a tagged union, one dataclass for each kind.

A new kind starts here; the type checker then lists every `match` to finish.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from rollback_responder.domain.document import Doc, Pattern

# Lambda API, CreateFunction and CreateAlias: patterns of FunctionName and Name.
FUNCTION_NAME = Pattern(
    r"[a-zA-Z0-9-_]{1,64}", "a function name: 1 to 64 letters, digits, hyphens or underscores"
)
ALIAS_NAME = Pattern(
    r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}",
    "an alias name: 1 to 128 letters, digits, hyphens or underscores, not only digits",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaAlias:
    """A Lambda alias that is moved from version to version at each deploy."""

    kind: Annotated[Literal["lambda_alias"], Doc("The kind of target.")] = "lambda_alias"
    function: Annotated[
        str,
        Doc("The function's name.", "write the bare name, not the ARN"),
        FUNCTION_NAME,
    ]
    alias: Annotated[
        str,
        Doc("The alias that receives the traffic.", "write the alias's own name, such as live"),
        ALIAS_NAME,
    ]

    @property
    def target_id(self) -> str:
        """Names the target in the journal; never shown as the only name."""
        return f"{self.kind}/{self.function}/{self.alias}"

    @property
    def title(self) -> str:
        """Names the target for people."""
        return f"{self.function}:{self.alias}"

    @property
    def slug(self) -> str:
        """Names the target inside an alarm's name."""
        return f"{self.function}.{self.alias}"


Target = LambdaAlias
