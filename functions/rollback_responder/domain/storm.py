"""A storm: alarms of many services at once. It is told as one, because it most likely is one."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from rollback_responder.domain.incident import State

# Five services within ten minutes of one another: more than one bad deploy, and more messages than
# anybody reads one by one.
FEWEST_SERVICES = 5
TOGETHER = timedelta(minutes=10)


class Member(Struct, frozen=True, kw_only=True):
    """An incident of it: which service, and how that stands."""

    service: str
    state: State
    needs_a_person: bool


class Gathering(Struct, frozen=True, kw_only=True):
    """Incidents that were opened within `TOGETHER` of one another, by their ids.

    `head` names the message that tells of all, once there is one; `called` is how many of them
    needed a person when it rang last.
    """

    name: str
    members: Mapping[str, Member]
    head: str | None = None
    called: int = 0

    @property
    def services(self) -> tuple[str, ...]:
        """Whose incidents these are."""
        return tuple(sorted({member.service for member in self.members.values()}))

    @property
    def is_storm(self) -> bool:
        """Whether it is told as one."""
        return len(self.services) >= FEWEST_SERVICES

    @property
    def calls(self) -> int:
        """How many of them need a person."""
        return sum(member.needs_a_person for member in self.members.values())

    @property
    def calls_again(self) -> bool:
        """Whether twice as many need a person as when it rang last, or the first does."""
        return self.calls >= max(1, 2 * self.called)

    @property
    def has_doubled(self) -> bool:
        """Whether it has just become a storm, or twice as large as when that was told last."""
        count, told = len(self.services), FEWEST_SERVICES
        while told < count:
            told *= 2
        return count == told
