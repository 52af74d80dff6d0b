"""What a check works with, and what it owes the account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from conformance.account import Account
from conformance.things import Clients, Thing, remove

T = TypeVar("T")

# The key of the tag that everything has. Its value is the run's id.
TAG = "rollback-conformance"
# A removal is tried so often, and this long apart.
TRIES = 4
PAUSE_SECONDS = 5.0


class Untold(Exception):
    """What was to be seen was not: nothing is said of the assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A thing that could not be removed, and why."""

    thing: Thing
    problem: str


@dataclass(slots=True, kw_only=True)
class Lab:
    """One check's place in an account.

    Attributes:
        account: whose it is.
        run: the run's id, eight hex digits.
        clients: gives a client by the SDK's name of its service.
        client_of: the same with the temporary credentials of a role, as STS answers them.
        say: shows a line of progress.
        sleep: waits for seconds.
        now: seconds of a clock that only goes forward.
        wall: the present, in UTC.
        fetch: POSTs a form to a function's address, with the caller's signature; or, without a
            form, GETs any address without one. Returns the answer's body.
        handshake: opens a connection by TLS to a host, trusting the certificates in this file
            alone; returns what went wrong, or nothing.
    """

    account: Account
    run: str
    clients: Clients
    client_of: Callable[[str, Mapping[str, Any]], Any]
    say: Callable[[str], None]
    sleep: Callable[[float], None]
    now: Callable[[], float]
    wall: Callable[[], datetime]
    fetch: Callable[[str, bytes | None], bytes]
    handshake: Callable[[str, Path], str]
    owed: list[Thing] = field(default_factory=list)

    def name(self, suffix: str) -> str:
        """The name of a thing of this run."""
        return f"{TAG}-{self.run}-{suffix}"

    def tags(self) -> dict[str, str]:
        """The tag of this run, as a mapping."""
        return {TAG: self.run}

    def tag_list(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """The same as a list, with the words for key and value that the service has."""
        return [{key: TAG, value: self.run}]

    def owe(self, thing: Thing) -> None:
        """Writes down what is about to be made: a call may make it although no answer comes."""
        if thing not in self.owed:
            self.owed.append(thing)

    def until(
        self, what: str, look: Callable[[], T | None], *, seconds: float, every: float = 5.0
    ) -> T:
        """Looks until there is something.

        Raises:
            Untold: there was not, in that time.
        """
        end = self.now() + seconds
        while (found := look()) is None:
            if self.now() >= end:
                raise Untold(f"{what}: not seen in {seconds:.0f} seconds")
            self.sleep(every)
        return found

    def clean_up(self) -> list[Left]:
        """Removes all that is owed, the last first; returns what would not go."""
        left = []
        while self.owed:
            thing = self.owed.pop()
            problem = self._removed(thing)
            if problem:
                left.append(Left(thing=thing, problem=problem))
        return left

    def _removed(self, thing: Thing) -> str:
        """Empty when it is gone, else why it is not. No error is a reason to give up the rest."""
        problem = ""
        for attempt in range(TRIES):
            if attempt:
                self.sleep(PAUSE_SECONDS)
            try:
                remove(self.clients, thing, sleep=self.sleep)
            except Exception as error:  # noqa: BLE001 - the next thing is removed all the same
                problem = f"{type(error).__name__}: {error}"
            else:
                return ""
        return problem
