"""The ledger: which release of a target is live since when, and which ones proved themselves.

Lambda keeps no history of an alias, so the responder does. "The highest other version" is never a
way back: after 5 -> 4 it would lead to 5 again.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.document import Doc
from rollback_responder.domain.rollout import Sight

LONGEST_HISTORY = 20


class Origin(StrEnum):
    """How a release came to be live."""

    DEPLOYED = "deployed"
    ROLLED_BACK = "rolled_back"
    FIRST_SEEN = "first_seen"
    PUT_BACK = "put_back"


class Release(Struct, frozen=True, kw_only=True):
    """One stay of one version behind the alias.

    The same version may come back later: that is another release, with another `since_at`.
    """

    version: Annotated[str, Doc("The Lambda version that is live, or being shifted to.")]
    since_at: Annotated[datetime, Doc("When it was first seen there.")]
    origin: Annotated[Origin, Doc("How it came there.")]
    whole_since_at: Annotated[datetime | None, Doc("Since when it takes all traffic.")] = None
    proven_at: Annotated[datetime | None, Doc("When it had proved itself.")] = None
    code_sha256: Annotated[str | None, Doc("Its code's hash.")] = None
    about: Annotated[str | None, Doc("What whoever published it wrote about it.")] = None

    @property
    def key(self) -> str:
        """Names the release within its target."""
        return f"{self.version}@{self.since_at.isoformat()}"


class Build(Struct, frozen=True, kw_only=True):
    """What a version is made of: the hash of its code, and what its publisher wrote about it."""

    code_sha256: str
    about: str | None = None


class Good(Struct, frozen=True, kw_only=True):
    """A version that once proved itself."""

    version: Annotated[str, Doc("The Lambda version.")]
    proven_at: Annotated[datetime, Doc("When it had proved itself, last.")]
    code_sha256: Annotated[str | None, Doc("Its code's hash.")] = None


class Bad(Struct, frozen=True, kw_only=True):
    """A version that was rolled back from. It is never gone back to."""

    version: Annotated[str, Doc("The Lambda version.")]
    at: Annotated[datetime, Doc("When it was rolled back from.")]
    incident_id: Annotated[str, Doc("By which incident.")]
    code_sha256: Annotated[str | None, Doc("Its code's hash.")] = None


class Ledger(Struct, frozen=True, kw_only=True):
    """What is known of a target. Empty until the watcher has seen it once.

    `revision` is an alias's `RevisionId`, or a rollout's `Sight.revision`, when it was last seen:
    an equal one proves that nobody, we included, has touched the target since. A rollout has no
    releases of its own, only what was acted upon.
    """

    current: Annotated[Release | None, Doc("The release that is live.")] = None
    revision: Annotated[str | None, Doc("Its revision when it was last seen.")] = None
    good: Annotated[tuple[Good, ...], Doc("Proven versions, latest first.")] = ()
    bad: Annotated[tuple[Bad, ...], Doc("Versions rolled back from, latest first.")] = ()
    acted: Annotated[tuple[str, ...], Doc("Changes that were acted upon, latest first.")] = ()
    acted_at: Annotated[tuple[datetime, ...], Doc("When that was, latest first.")] = ()


class Observation(Struct, frozen=True, kw_only=True):
    """A target as AWS shows it now.

    `primary` takes what the weights leave over. `other` is the second version of a weighted alias,
    or None; `marker` is the claim that put it where it is now, or None.
    """

    primary: str
    other: str | None
    revision: str
    marker: str | None

    @property
    def suspect(self) -> str:
        """The version on trial: the newer one while traffic is shifting."""
        if self.other is None or not _comparable(self.primary, self.other):
            return self.primary
        return max(self.primary, self.other, key=int)

    @property
    def rest(self) -> str | None:
        """The other version of a weighted alias, the one that is not on trial."""
        return next((v for v in (self.primary, self.other) if v != self.suspect), None)


def _comparable(*versions: str) -> bool:
    return all(version.isdigit() for version in versions)


def seen(ledger: Ledger, observation: Observation, now: datetime) -> Ledger:
    """The ledger after looking at the target: a new suspect version begins a new release.

    A version older than the one before is a rollback, whoever made it; what was left behind by one
    has to prove itself anew.
    """
    current, version, good = ledger.current, observation.suspect, ledger.good
    if current is None:
        current = Release(version=version, since_at=now, origin=Origin.FIRST_SEEN)
    elif current.version != version:
        older = _comparable(version, current.version) and int(version) < int(current.version)
        origin = Origin.ROLLED_BACK if older else Origin.DEPLOYED
        if older:
            good = tuple(entry for entry in good if entry.version != current.version)
        current = Release(version=version, since_at=now, origin=origin)
    whole_since_at = None if observation.other else current.whole_since_at or now
    current = replace(current, whole_since_at=whole_since_at)
    return replace(ledger, current=current, revision=observation.revision, good=good)


def believed(ledger: Ledger) -> Observation | None:
    """The pointer as the ledger has it, or None where it must be looked at.

    Its revision makes it safe to act upon: a pointer that was touched since refuses the move
    ("RevisionId: a unique identifier that changes when you update the alias", Lambda API reference,
    GetAlias). While traffic is shifting the ledger does not know which version takes the rest.
    """
    current = ledger.current
    if current is None or current.whole_since_at is None or ledger.revision is None:
        return None
    return Observation(primary=current.version, other=None, revision=ledger.revision, marker=None)


def likely(ledger: Ledger) -> tuple[str, ...]:
    """The versions that are live by now, or the way back: known ones, and the next one.

    Lambda counts versions up and never gives a number twice (Lambda developer guide, "Versions").
    """
    current, good = ledger.current, ledger.good[:1]
    if current is None:
        return ()
    known = [current.version, *(entry.version for entry in good)]
    numbers = [int(v) for v in (*known, *(bad.version for bad in ledger.bad)) if v.isdigit()]
    following = [str(max(numbers) + 1)] if numbers else []
    return tuple(dict.fromkeys((*known, *following)))


def proved(ledger: Ledger, release: Release, now: datetime) -> Ledger:
    """The ledger after its current release has proved itself, also one once rolled back from.

    Its code is acquitted with it.
    """
    entry = Good(version=release.version, proven_at=now, code_sha256=release.code_sha256)
    others = tuple(good for good in ledger.good if good.version != release.version)
    return replace(
        ledger,
        current=replace(release, proven_at=now),
        good=(entry, *others)[:LONGEST_HISTORY],
        bad=tuple(
            replace(bad, code_sha256=None) if bad.code_sha256 == release.code_sha256 else bad
            for bad in ledger.bad
            if bad.version != release.version
        ),
    )


def vanished(ledger: Ledger, version: str) -> Ledger:
    """The ledger after a proven version turned out to be deleted: it is no way back any more."""
    return replace(ledger, good=tuple(good for good in ledger.good if good.version != version))


def acting(ledger: Ledger, change: str, now: datetime) -> Ledger:
    """The ledger after acting upon a change: never twice."""
    return replace(
        ledger,
        acted=(change, *ledger.acted)[:LONGEST_HISTORY],
        acted_at=(now, *ledger.acted_at)[:LONGEST_HISTORY],
    )


def settled(ledger: Ledger, change: str) -> Ledger:
    """The ledger after a change was left as it is: it is not acted upon any more."""
    return replace(ledger, acted=(change, *ledger.acted)[:LONGEST_HISTORY])


def seen_rollout(ledger: Ledger, sight: Sight) -> Ledger:
    """The ledger of a rollout after looking at it."""
    return replace(ledger, revision=sight.revision)


def rolled_back(
    ledger: Ledger,
    release: Release,
    *,
    to_version: str,
    revision: str,
    incident_id: str,
    now: datetime,
) -> Ledger:
    """The ledger after a pointer was moved back from a release."""
    return replace(
        condemned(ledger, release, incident_id=incident_id, now=now),
        current=Release(version=to_version, since_at=now, origin=Origin.ROLLED_BACK),
        revision=revision,
    )


def put_back(ledger: Ledger, *, version: str, revision: str, now: datetime) -> Ledger:
    """The ledger after a person undid a rollback: the version serves again, and is still bad."""
    return replace(
        ledger,
        current=Release(version=version, since_at=now, origin=Origin.PUT_BACK, whole_since_at=now),
        revision=revision,
    )


def rehearsed(
    ledger: Ledger, release: Release, *, revision: str, incident_id: str, acted_at: datetime
) -> Ledger:
    """The ledger after a drill: as if nothing had been done to the release that serves again."""
    kept = acquitted(ledger, release, incident_id=incident_id, acted_at=acted_at)
    return replace(kept, current=release, revision=revision)


def acquitted(ledger: Ledger, release: Release, *, incident_id: str, acted_at: datetime) -> Ledger:
    """The ledger as if a release had never been acted upon, whatever is live now."""
    proven = release.proven_at
    good = tuple(entry for entry in ledger.good if entry.version != release.version)
    if proven:
        again = Good(version=release.version, proven_at=proven, code_sha256=release.code_sha256)
        good = (again, *good)
    return replace(
        ledger,
        good=good[:LONGEST_HISTORY],
        bad=tuple(entry for entry in ledger.bad if entry.incident_id != incident_id),
        acted=tuple(change for change in ledger.acted if change != release.key),
        acted_at=tuple(at for at in ledger.acted_at if at != acted_at),
    )


def condemned(ledger: Ledger, release: Release, *, incident_id: str, now: datetime) -> Ledger:
    """The ledger after a release was rolled back from, by whatever.

    Its code is condemned with it, unless another version with the same code has proved itself: then
    it was the configuration (a version is published for either; the hash is of the code alone).
    """
    good = tuple(entry for entry in ledger.good if entry.version != release.version)
    acquitted = release.code_sha256 in {entry.code_sha256 for entry in good}
    entry = Bad(
        version=release.version,
        at=now,
        incident_id=incident_id,
        code_sha256=None if acquitted else release.code_sha256,
    )
    return replace(ledger, good=good, bad=(entry, *ledger.bad)[:LONGEST_HISTORY])


def way_back(ledger: Ledger, observation: Observation, never: Collection[str] = ()) -> str | None:
    """The version to go back to: proven, older than the suspect, never one rolled back from.

    Nor one of `never`, which the policy denies.

    While traffic is shifting, only the version that still takes the rest of it will do: anything
    else would throw that one out as well. None where there is no such version.
    """
    suspect = observation.suspect
    if not suspect.isdigit():
        return None
    bad_versions = {bad.version for bad in ledger.bad}
    bad_code = {bad.code_sha256 for bad in ledger.bad if bad.code_sha256}
    candidates = [
        good.version
        for good in ledger.good
        if good.version.isdigit()
        and int(good.version) < int(suspect)
        and good.version not in bad_versions
        and good.version not in never
        and good.code_sha256 not in bad_code
    ]
    if observation.rest is not None:
        return observation.rest if observation.rest in candidates else None
    return next(iter(candidates), None)
