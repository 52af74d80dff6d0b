"""The policy by alarm: what one alarm needs of it, however many services there are.

The synth writes an index beside the policy: sorted lines of a key, a tab and a JSON document. One
line is looked up by halving the file, so a process that answers one alarm reads a few pages and
parses one service, not ten thousand.
"""

import json
import mmap
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from rollback_responder.domain.errors import PolicyError, Problem
from rollback_responder.domain.policy import Policy, Watched, parse_policy, parse_service

HEAD, ALARM, SERVICE = "head", "alarm", "service"
# How many alarms are remembered: the one that is answered comes again, each minute.
REMEMBERED = 64


class Part(NamedTuple):
    """What is watched by one alarm, and as much of the policy as says what to do about it."""

    policy: Policy
    watched: Watched


class Policies(Protocol):
    """A policy that is asked about one alarm at a time."""

    def part(self, alarm_name: str) -> Part | None:
        """The part about an alarm: its service, the service's siblings, and what is said for all.

        None where no service names the alarm.

        Raises:
            PolicyError: that part cannot be read.
        """
        ...


class WholePolicy:
    """A policy that is in memory anyway; its only part is the whole."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._entries = {entry.alarm_name: entry for entry in policy.watched()}

    def part(self, alarm_name: str) -> Part | None:
        """See `Policies.part`."""
        entry = self._entries.get(alarm_name)
        return Part(self._policy, entry) if entry else None


class IndexedPolicy:
    """A policy in its index. `head` is the policy without any service."""

    def __init__(self, path: Path) -> None:
        """Reads what is said for all services, and one service: a broken file says so at once.

        Raises:
            PolicyError: the file is missing or cannot be used; it names the file.
        """
        self._name = path.name
        try:
            with path.open("rb") as file:
                self._lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error
        found = self._found(HEAD)
        document: dict[str, Any] = found["policy"]
        self.kinds: tuple[str, ...] = tuple(found["kinds"])
        first = self._found(SERVICE, found["first"])
        self.head = replace(parse_policy({**document, "services": [first]}, part=True), services=())
        self._part = lru_cache(REMEMBERED)(self._read_part)

    def part(self, alarm_name: str) -> Part | None:
        """See `Policies.part`."""
        return self._part(alarm_name)

    def _read_part(self, alarm_name: str) -> Part | None:
        name = self._find(ALARM, alarm_name)
        if name is None:
            return None
        service = parse_service(self._found(SERVICE, name))
        siblings = (parse_service(self._found(SERVICE, each)) for each in service.siblings)
        policy = replace(self.head, services=(service, *siblings))
        return Part(policy, next(e for e in policy.watched() if e.alarm_name == alarm_name))

    def _found(self, *names: str) -> Any:
        found = self._find(*names)
        if found is None:
            raise self._unusable(KeyError(*names))
        return found

    def _find(self, *names: str) -> Any:
        """The document of a key, or None."""
        lines, key = self._lines, _key(*names)
        low, high = 0, len(lines)
        while low < high:
            # The line that the middle lies in.
            begin = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = lines.find(b"\n", begin)
            line = lines[begin:end]
            if line.startswith(key):
                try:
                    return json.loads(line[len(key) :])
                except ValueError as error:
                    raise self._unusable(error) from error
            low, high = (end + 1, high) if line < key else (low, begin)
        return None

    def _unusable(self, error: Exception) -> PolicyError:
        problem = Problem(
            path=self._name,
            got=f"{type(error).__name__}: {error}",
            allowed="the index of the policy that the synth wrote",
            change="deploy the responder's stack again",
        )
        return PolicyError("the policy file", (problem,))


def index_of(policy: Policy) -> bytes:
    """The index of a whole policy, for the synth."""
    document = policy.to_document()
    services = document.pop("services")
    kinds = sorted({target.kind for service in policy.services for target in service.targets})
    head = {"policy": document, "kinds": kinds, "first": services[0]["name"]}
    found: dict[bytes, Any] = {_key(HEAD): head}
    found |= {_key(SERVICE, service["name"]): service for service in services}
    found |= {_key(ALARM, entry.alarm_name): entry.service.name for entry in policy.watched()}
    return b"".join(b"%s%s\n" % (key, _json(found[key])) for key in sorted(found))


def _key(*names: str) -> bytes:
    """JSON holds no tab and no end of a line, so no key begins like another and none breaks."""
    return _json(names) + b"\t"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
