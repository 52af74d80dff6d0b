"""The story's voice in the terminal: plain sentences, a clock, colours only where they show."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.slack_inbox.workspace import Message
from local.witness import Moment

_LINK = re.compile(r"<https?:[^|>]*\|([^>]*)>")
_MENTION = re.compile(r"<!(\w+)>")
STYLES = {
    "alarm": "red",
    "alias": "bold cyan",
    "rollout": "cyan",
    "incident": "magenta",
    "slack": "yellow",
}


class Narrator:
    """Prints as things happen. Every line begins with the real seconds since the start."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def real_seconds(self) -> float:
        """Real seconds since the story began."""
        return time.monotonic() - self._began

    @property
    def is_watched(self) -> bool:
        """Whether somebody sits at a terminal."""
        return self._console.is_terminal and sys.stdin.isatty()

    def title(self, text: str) -> None:
        """The story's first line."""
        self._console.print(f"\n[bold]{escape(text)}[/bold]\n")

    def say(self, text: str, style: str = "") -> None:
        """One thing that happened."""
        line = f"[dim]{self.real_seconds():6.1f} s[/dim]  "
        self._console.print(
            line + (f"[{style}]{escape(text)}[/{style}]" if style else escape(text))
        )

    def moment(self, moment: Moment) -> None:
        """One thing that was seen to happen, with the time of the local world."""
        style = STYLES.get(moment.key.split()[0], "")
        self.say(f"{moment.at:%H:%M:%S}  {moment.text}", style)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Something that takes a while: said before, timed after, with a spinner on a terminal."""
        began = time.monotonic()
        self.say(f"{what} ...")
        with self._console.status(f"{what} ..."):
            yield
        self.say(f"   done in {time.monotonic() - began:.1f} s", "dim")

    @contextmanager
    def waiting(self, what: Callable[[], str]) -> Iterator[Callable[[], None]]:
        """A wait that says what it waits for; call what it gives to refresh the text."""
        if not self._console.is_terminal:
            self.say(f"waiting: {what()}")
            yield lambda: None
            return
        with self._console.status(what()) as status:
            yield lambda: status.update(what())

    def thread(self, messages: list[Message]) -> None:
        """What Slack shows, as text."""
        self._console.print("\n[bold]The thread in Slack[/bold]")
        if not messages:
            self._console.print("  nobody was told anything")
        for message in messages:
            indent = "    " if message.thread_ts else "  "
            for block in message.blocks:
                for text in _texts(block):
                    self._console.print(escape(_indented(_bare(text), indent)))
            for file in message.files:
                said = f"picture: {file.alt or file.title}"
                self._console.print(escape(_indented(said, indent)), style="dim")
            if not message.blocks and message.text:
                self._console.print(escape(_indented(_bare(message.text), indent)), style="dim")

    def timeline(self, moments: list[Moment], *, legend: str) -> None:
        """Every moment in one table."""
        table = Table(
            title="What happened, read from the world",
            title_justify="left",
            caption=f"{legend[0].upper()}{legend[1:]}.",
            caption_justify="left",
        )
        for column in ("clock there", "after", "real", "what"):
            table.add_column(column, justify="right" if column != "what" else "left")
        first = moments[0].at
        for moment in moments:
            minutes, seconds = divmod(int((moment.at - first).total_seconds()), 60)
            table.add_row(
                f"{moment.at:%H:%M:%S}",
                f"{minutes}:{seconds:02d}",
                f"{moment.real_seconds:.1f} s",
                escape(moment.text),
            )
        self._console.print()
        self._console.print(table)

    def command(self, text: str) -> None:
        """Something to try, on a line of its own, to be copied."""
        self._console.print(f"            {escape(text)}", style="bold")

    def choice(self, *sentences: str) -> None:
        """What a person chose, and what came of it."""
        self._console.print()
        for sentence in sentences:
            self.say(sentence, "bold")

    def verdict(self, faults: list[str], *, good: str = "The story ended as it must.") -> None:
        """The last word."""
        self._console.print()
        if not faults:
            self.say(good, "bold green")
        for fault in faults:
            self.say(f"It ended wrongly: {fault}", "bold red")


def _bare(text: str) -> str:
    """Slack's mark-up as a terminal shows it: a link is its label, a mention has its at-sign."""
    text = _LINK.sub(r"\1", text)
    text = _MENTION.sub(r"@\1", text).replace("*", "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.splitlines())


def _texts(block: object) -> Iterator[str]:
    """The texts of a block, wherever they are; of a button its label."""
    if isinstance(block, dict):
        if block.get("type") == "button":
            yield f"[ {block['text']['text']} ]"
        elif isinstance(block.get("text"), str):
            yield block["text"]
        else:
            for member in block.values():
                yield from _texts(member)
    elif isinstance(block, list | tuple):
        for item in block:
            yield from _texts(item)
