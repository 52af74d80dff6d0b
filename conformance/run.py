"""One check after the other, and everything removed whatever happens."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from conformance import leftovers
from conformance.check import Check, Seen, Verdict
from conformance.lab import Lab, Left, Untold


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one check. `problem` says why it could not be told."""

    check: Check[Any]
    verdict: Verdict
    seen: Seen
    problem: str
    began_at: datetime
    seconds: float
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of all; `left` is what the tag found at the end, and would not go.

    `unread` says why the tag could not be asked; what is left is not known then.
    """

    results: tuple[Result, ...]
    left: tuple[Left, ...]
    unread: str
    broken_off: bool


class Interrupts:
    """Ctrl-C, and a polite end: heard while a check runs, and only noted while things are removed.

    Attributes:
        heard: whether either came.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._raises = False
        self.heard = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """While this lasts, they come here. Only a main thread hears of them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in self.SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """While this lasts, the first one is raised.

        Raises:
            KeyboardInterrupt: it came.
        """
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _hear(self, _number: int, _frame: object) -> None:
        self.heard = True
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt
        self._say("    what was made is being removed; one moment")


def run(lab: Lab, checks: Sequence[Check[Any]]) -> Run:
    """Runs them. Ctrl-C ends the check that runs, removes what it made, and begins no other."""
    results: list[Result] = []
    interrupts = Interrupts(lab.say)
    with interrupts.caught():
        for number, check in enumerate(checks, start=1):
            lab.say(f"[{number}/{len(checks)}] {check.key}: {check.assumes}")
            result = _one(lab, check, interrupts)
            results.append(result)
            why = f" ({result.problem})" if result.problem else ""
            lab.say(f"    {result.verdict}{why}, {result.seconds:.0f} s")
            if interrupts.heard:
                break
        left, unread = sweep(lab, lab.run)
    return Run(results=tuple(results), left=tuple(left), unread=unread, broken_off=interrupts.heard)


def _one(lab: Lab, check: Check[Any], interrupts: Interrupts) -> Result:
    began, began_at = lab.now(), lab.wall()
    told, seen, problem = Verdict.NOT_TOLD, {}, ""
    try:
        with interrupts.welcome():
            made = check.create(lab)
            seen = dict(check.observe(lab, made))
            told = check.tell(seen)
    except KeyboardInterrupt:
        interrupts.heard = True
        problem = "broken off"
    except (Untold, ClientError, BotoCoreError, OSError) as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - an answer of another form tells nothing either
        problem = f"{type(error).__name__}: {error}"
    left = lab.clean_up()
    return Result(
        check=check,
        verdict=told,
        seen=seen,
        problem=problem,
        began_at=began_at,
        seconds=lab.now() - began,
        left=tuple(left),
    )


def sweep(lab: Lab, run_id: str | None) -> tuple[list[Left], str]:
    """Removes what the tag still finds, of one run or of all; returns what would not go.

    The second value says why nothing could be found, if so.
    """
    try:
        found = leftovers.find(lab.clients, run_id)
    except Exception as error:  # noqa: BLE001 - the report is written all the same
        return [], f"what is left could not be looked for: {error}"
    for thing in reversed(found):
        lab.say(f"    removing a {thing.kind}: {thing.name}")
        lab.owe(thing)
    return lab.clean_up(), ""


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)
