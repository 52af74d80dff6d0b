"""Readiness of an alias: whether there is a version to go back to, and whether that would help.

What removes the way back without a sound (decision D19) is looked for first: versions that are
deleted at the next deploy, and traffic that does not come through the alias.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rollback_responder.domain.finding import Check, Finding, Unread, finding, not_read
from rollback_responder.domain.policy import Service
from rollback_responder.domain.release import Ledger, Observation, way_back
from rollback_responder.domain.target import AfterSuccess, CodeDeployGroup, LambdaAlias

LATEST = "$LATEST"


class Way(StrEnum):
    """By what a function is called."""

    EVENT_SOURCE = "event source"
    API = "API"
    FUNCTION_URL = "function URL"
    # Somebody may call it; whether it does is not known.
    PERMISSION = "permission of"


class Moved(StrEnum):
    """When a rollback points an alias to an earlier version, by itself or by a deployment."""

    ALWAYS = "always"
    # What is under way is stopped or cancelled instead.
    ONCE_FINISHED = "once what rolled it out has finished"
    NEVER = "never"


def moved(service: Service) -> Moved:
    """When the service's aliases are moved back: the rule is that of `domain/trial.py`."""
    groups = [one for one in service.rollouts if isinstance(one, CodeDeployGroup)]
    if any(group.after_success is AfterSuccess.ASK for group in groups):
        return Moved.NEVER
    return Moved.ONCE_FINISHED if service.rollouts else Moved.ALWAYS


class Caller(Struct, frozen=True, kw_only=True):
    """Who calls a function, and what of it: an alias, a version, or None for `$LATEST`."""

    way: Way
    name: str
    qualifier: str | None


class AliasFacts(Struct, frozen=True, kw_only=True):
    """A Lambda alias and what is around it.

    `versions` are the published ones, or None where the function does not exist. `kept` says
    whether its stack keeps versions that it replaces; None where no stack publishes them. `moved`
    says when a version that has proved itself is needed.
    """

    target: LambdaAlias
    versions: frozenset[str] | Unread | None
    observation: Observation | Unread | None
    ledger: Ledger | Unread
    callers: tuple[Caller | Unread, ...] = ()
    concurrency: tuple[str, ...] | Unread = ()
    kept: bool | Unread | None = None
    moved: Moved = Moved.ALWAYS
    aliases: frozenset[str] = frozenset()


def alias_findings(fact: AliasFacts) -> Iterator[Finding]:
    """What would keep the alias from being moved back, or that from helping."""
    title, function = fact.target.title, fact.target.function
    gone = "create it again, or take it out of the policy"
    if fact.versions is None:
        yield finding(Check.FUNCTION_GONE, title, f"function {function} does not exist", gone)
        return
    if fact.observation is None:
        yield finding(Check.ALIAS_GONE, title, f"alias {fact.target.alias} does not exist", gone)
        return
    yield from _versions(fact)
    for caller in fact.callers:
        if isinstance(caller, Unread):
            yield not_read(title, "who calls the function", caller)
        else:
            yield from _caller(fact, caller)
    yield from _concurrency(fact)


def _versions(fact: AliasFacts) -> Iterator[Finding]:
    """The live version, the one to go back to, and whether that will still be there."""
    title, seen, ledger = fact.target.title, fact.observation, fact.ledger
    for what, read in (
        ("its versions", fact.versions),
        ("the alias", seen),
        ("its row in the journal", ledger),
        ("the stack that publishes its versions", fact.kept),
    ):
        if isinstance(read, Unread):
            yield not_read(title, what, read)
    if isinstance(seen, Observation) and seen.primary == LATEST:
        yield finding(
            Check.ALIAS_ON_LATEST,
            title,
            f"the alias points to {LATEST}, which has no earlier self to go back to",
            "publish a version at each deploy and point the alias to it",
        )
        return
    if fact.kept is False:
        alone = fact.moved is Moved.ALWAYS
        yield finding(
            Check.WAY_BACK_NOT_KEPT if alone else Check.VERSION_NOT_KEPT,
            title,
            "its stack deletes the version before at the next deploy"
            + (": there will be nothing to go back to" if alone else ""),
            "give AWS::Lambda::Version DeletionPolicy Retain (CDK: currentVersionOptions with "
            "RemovalPolicy.RETAIN)",
        )
    if isinstance(seen, Observation) and isinstance(ledger, Ledger):
        yield from way_back_findings(fact, seen, ledger)


def way_back_findings(fact: AliasFacts, seen: Observation, ledger: Ledger) -> Iterator[Finding]:
    """Whether a version that proved itself is there to be gone back to."""
    title, never = fact.target.title, fact.target.never_back_to
    if isinstance(fact.versions, frozenset):
        deleted = [good.version for good in ledger.good if good.version not in fact.versions]
        if deleted:
            yield finding(
                Check.VERSION_DELETED,
                title,
                f"version {', '.join(deleted)} proved itself and was deleted since",
                "keep versions: whatever cleans them up must leave the last ones",
            )
        kept = tuple(good for good in ledger.good if good.version in fact.versions)
        ledger = replace(ledger, good=kept)
    # The live version is what the next deploy goes back to, once it has proved itself.
    is_proved = seen.other is None and any(
        good.version == seen.primary and good.version not in never for good in ledger.good
    )
    if is_proved or way_back(ledger, seen, never) or fact.moved is Moved.NEVER:
        return
    found = f"version {seen.suspect} is live and no version that is still there has proved itself"
    wait = "wait until the live version has served guardrails.bake_minutes with its alarms quiet"
    if fact.moved is Moved.ALWAYS:
        yield finding(Check.NO_WAY_BACK, title, found, wait)
    else:
        found += ": only what is still under way can be undone"
        yield finding(Check.NOTHING_PROVED, title, found, wait)


def _caller(fact: AliasFacts, caller: Caller) -> Iterator[Finding]:
    title, alias = fact.target.title, fact.target.alias
    who = f"{caller.way.value} {caller.name}"
    qualifier = caller.qualifier or LATEST
    fix = f"point it at {title}"
    if qualifier == alias:
        return
    if caller.way is Way.PERMISSION:
        yield finding(
            Check.MAY_CALL_PAST_IT,
            title,
            f"{caller.name} may call {qualifier}, past the alias",
            f"{fix} and permit it there, then remove the old permission",
        )
    elif qualifier == LATEST or qualifier.isdigit():
        which = LATEST if qualifier == LATEST else f"version {qualifier}"
        yield finding(
            Check.PAST_THE_ALIAS,
            title,
            f"{who} calls {which}, past the alias: a rollback does not reach it",
            fix,
        )
    elif qualifier not in fact.aliases:
        yield finding(
            Check.OTHER_ALIAS,
            title,
            f"{who} calls {qualifier}, which the policy does not name",
            f"{fix}, or name that alias in the policy as well",
        )


def _concurrency(fact: AliasFacts) -> Iterator[Finding]:
    title = fact.target.title
    if isinstance(fact.concurrency, Unread):
        yield not_read(title, "its provisioned concurrency", fact.concurrency)
        return
    versions = [qualifier for qualifier in fact.concurrency if qualifier.isdigit()]
    if versions:
        yield finding(
            Check.CONCURRENCY_ON_VERSION,
            title,
            f"provisioned concurrency is on version {', '.join(versions)}: the version that is "
            "gone back to may have none",
            "put it on the alias: then it moves with it",
        )
    if fact.target.alias in fact.concurrency:
        yield finding(
            Check.CONCURRENCY_MOVES,
            title,
            "provisioned concurrency is on the alias: after a rollback it is allocated anew",
            "nothing; expect some cold starts for a minute or two",
        )
