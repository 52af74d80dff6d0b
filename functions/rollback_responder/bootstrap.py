"""The only place that opens AWS clients: from environment and policy file to a furnished house.

Each handler module calls it once, at cold start, so that what is missing names itself there. A cold
start pays for every module it loads, so each house imports only the rooms that it has.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError
from botocore.httpsession import where
from botocore.loaders import Loader
from botocore.utils import validate_region_name
from msgspec import Struct
from msgspec.structs import replace

from rollback_responder import lean_client, sdk
from rollback_responder.actions import Clients, pointers, rollouts
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import naming
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    NotificationError,
    PolicyError,
    Problem,
    QueueError,
)
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.domain.redaction import redacted
from rollback_responder.journal.budget import DynamoDbBudget
from rollback_responder.journal.dynamodb import DynamoDbJournal
from rollback_responder.lean_client import LeanClient, Limits, Roots
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics
from rollback_responder.policies import IndexedPolicy
from rollback_responder.ports import Notices, Storms, Wake
from rollback_responder.rooms import Rooms
from rollback_responder.wiring import (
    InteractWiring,
    NotifyWiring,
    RespondWiring,
    WatchWiring,
    Wiring,
)

if TYPE_CHECKING:
    from rollback_responder.desk import Desk
    from rollback_responder.domain.finding import Finding
    from rollback_responder.domain.week import Week
    from rollback_responder.driller import Driller
    from rollback_responder.responder import Responder
    from rollback_responder.watcher import Watcher

T = TypeVar("T")
# Makes what calls a service.
Client = Callable[[str, Limits], Any]

# Shipped beside the package by infra/package.py.
POLICY_FILE = Path(__file__).resolve().parent.parent / "policy.json"
POLICY_INDEX = POLICY_FILE.with_suffix(".index")

# Reads may be repeated at once; a move of a target may not: the state machine is its only retry
# layer (decision D5). Ten seconds bound any one call.
READS = Limits(connect=2, read=5, attempts=2)
ONCE = Limits(connect=2, read=8, attempts=1)
# Nobody waits for a person's look but the person; throttles are waited out.
PATIENT = Limits(connect=5, read=30, attempts=8)
# Longer than the longest invocation (60 s) with one more call under way.
LEASE = timedelta(seconds=90)


# What SQS takes at most is 1,048,576 bytes; the attributes of a parked message are a few hundred.
LARGEST_PARKED = 1_040_000
NOT_TAKEN = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"

# How the names of those operations begin that change nothing.
READING = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")


class Place(Struct, frozen=True, kw_only=True):
    """Which account and region a person means; None for what their environment says."""

    region: str | None = None
    profile: str | None = None


class RespondHouse(Struct, frozen=True, kw_only=True):
    """What `respond` needs.

    `dead_letter` parks a message: body, reason, detail. `expect` is told at the start of every
    invocation which alarms are to be read at once. `policy` is what is said for all services; these
    are read as their alarms come.
    """

    wiring: RespondWiring
    policy: Policy
    responder: "Responder"
    expect: Callable[[Collection[str]], None]
    dead_letter: Callable[[str, str, str], None]


class WatchHouse(Struct, frozen=True, kw_only=True):
    """What `watch` needs. `preflight` looks whether rollbacks would work."""

    policy: Policy
    watcher: "Watcher"
    driller: "Driller"
    preflight: "Callable[[], Sequence[Finding]]"


class NotifyHouse(Struct, frozen=True, kw_only=True):
    """What `notify` needs.

    `read_secret` gives the Slack secret's text; `park` takes what can never be told: body, reason,
    detail; `week` reads the seven days before an instant.
    """

    wiring: NotifyWiring
    policy: Policy
    notices: Notices
    storms: Storms
    read_secret: Callable[[], str]
    park: Callable[[str, str, str], None]
    week: "Callable[[datetime], Week]"


class InteractHouse(Struct, frozen=True, kw_only=True):
    """What `interact` needs. `read_secret` gives the Slack secret's text."""

    policy: Policy
    desk: "Desk"
    read_secret: Callable[[], str]


def respond_house(environment: Mapping[str, str]) -> RespondHouse:
    """Everything behind the front door.

    Raises:
        WiringError, PolicyError: the deployment is broken; both say what to mend.
    """
    from rollback_responder.metrics.shared import SharedMetrics
    from rollback_responder.responder import Responder

    wiring = RespondWiring.from_environment(environment)
    policies, client = load_index(), _clients()
    rooms = _furnished(policies.head, policies.kinds, wiring.journal_table, client)
    shared = SharedMetrics(rooms.metrics, rooms.stopwatch)
    return RespondHouse(
        wiring=wiring,
        policy=policies.head,
        responder=Responder(replace(rooms, metrics=shared), policies),
        expect=shared.expect,
        dead_letter=_parking(wiring.dead_letter_queue_url, client),
    )


def watch_house(environment: Mapping[str, str]) -> WatchHouse:
    """Everything the watcher needs; errors as `respond_house`."""
    from rollback_responder.driller import Driller
    from rollback_responder.watcher import Watcher

    wiring = WatchWiring.from_environment(environment)
    policy, client = load_policy(), _clients()
    rooms = _furnished(policy, _kinds(policy), wiring.journal_table, client)
    wake = _waking(wiring, wiring.alarm_queue_url, client)
    desk = _desk(policy, wiring.journal_table, wake, client)
    driller = Driller(policy=policy, journal=rooms.journal, desk=desk, clock=utc_now)

    def preflight() -> "Sequence[Finding]":
        # Once a day: no cold start waits for these.
        from rollback_responder.iam import RolePermissions
        from rollback_responder.preflight import Preflight

        role = RolePermissions(
            client("iam", READS),
            role_arn=wiring.respond_role_arn,
            account_id=wiring.account_id,
            region=wiring.region,
        )
        return Preflight(rooms=rooms, permissions=role.facts).findings()

    return WatchHouse(
        policy=policy, watcher=Watcher(rooms, wake), driller=driller, preflight=preflight
    )


def notify_house(environment: Mapping[str, str]) -> NotifyHouse:
    """Everything the notifier needs; errors as `respond_house`."""
    from rollback_responder.journal.notices import DynamoDbNotices
    from rollback_responder.journal.storms import DynamoDbStorms

    wiring = NotifyWiring.from_environment(environment)
    policy, client = load_policy(), _clients()
    dynamodb = client("dynamodb", READS)

    def read_week(until_at: datetime) -> "Week":
        # Once a week: no cold start waits for these.
        from rollback_responder.chronicler import Chronicler
        from rollback_responder.journal.annals import DynamoDbAnnals
        from rollback_responder.metrics.pulse import CloudWatchPulse

        pulse = CloudWatchPulse(client("cloudwatch", READS), policy.environment)
        journal = DynamoDbJournal(dynamodb, wiring.journal_table, LEASE)
        annals = DynamoDbAnnals(dynamodb, wiring.journal_table)
        return Chronicler(policy, journal, annals, pulse).week(until_at)

    return NotifyHouse(
        wiring=wiring,
        policy=policy,
        notices=DynamoDbNotices(dynamodb, wiring.journal_table, LEASE),
        storms=DynamoDbStorms(dynamodb, wiring.journal_table, LEASE),
        read_secret=_reading(wiring.slack_secret_arn, client),
        park=_parking(wiring.failure_queue_url, client),
        week=read_week,
    )


def interact_house(environment: Mapping[str, str]) -> InteractHouse:
    """Everything behind the buttons; errors as `respond_house`."""
    wiring = InteractWiring.from_environment(environment)
    policy, client = load_policy(), _clients()
    wake = _waking(wiring, wiring.alarm_queue_url, client)
    return InteractHouse(
        policy=policy,
        desk=_desk(policy, wiring.journal_table, wake, client),
        read_secret=_reading(wiring.slack_secret_arn, client),
    )


def _desk(policy: Policy, table: str, wake: Wake, client: Client) -> "Desk":
    from rollback_responder.desk import Desk
    from rollback_responder.journal.book import DynamoDbBook

    book = DynamoDbBook(client("dynamodb", READS), table)
    return Desk(policy=policy, book=book, wake=wake, clock=utc_now)


def operator_clients(*, region: str | None, profile: str | None) -> Clients:
    """Clients with the region and the credentials of a person, for the command line.

    What is None is found as the SDK finds it: in the environment, then in its own files.
    """
    session = _session(profile)

    def client(service: str, limits: Limits) -> Any:
        return session.create_client(service, region_name=region, config=_config(limits))

    return Clients(
        reads=lambda service: client(service, READS), acts=lambda service: client(service, ONCE)
    )


def region_of(place: Place) -> str | None:
    """The region that a person means, or that their environment or AWS configuration names.

    Raises:
        BotoCoreError: there is no such profile, or it is no region.
    """
    session = _session(place.profile)
    # Whether there is such a profile is asked here, also where the region is named.
    configured: str | None = session.get_config_variable("region")
    session.get_scoped_config()
    found = place.region or configured
    if found is not None:
        validate_region_name(found)
    return found


def profiles() -> list[str]:
    """The profiles of a person's AWS configuration."""
    import botocore.session

    return sorted(botocore.session.Session().available_profiles)


def looking_rooms(policy: Policy, table: str, place: Place) -> Rooms:
    """A house for a person who looks: no client in it can do anything else.

    Whatever is not a read is refused before it becomes a request, in the acting rooms as well.
    """
    return _furnished(
        policy, _kinds(policy), table, lambda service, _: reading_client(service, place)
    )


def reading_client(service: str, place: Place) -> Any:
    """A client that refuses whatever is not a read, before it becomes a request.

    Raises:
        ActionError: no region is known, or no such profile.
    """
    client = _client_in(service, place)
    client.meta.events.register_first(f"before-parameter-build.{service}", _refuse_acts)
    return client


def _client_in(service: str, place: Place) -> Any:
    try:
        session, config = _session(place.profile), _config(PATIENT, retry="adaptive")
        return session.create_client(service, region_name=place.region, config=config)
    except BotoCoreError as error:
        raise ActionError(f"{service} cannot be asked: {error}") from error


def _session(profile: str | None = None) -> Any:
    """One for all clients of a person: it reads the SDK's data once.

    The region is looked for where the AWS command line looks for it: botocore alone knows only
    AWS_DEFAULT_REGION; AWS's other tools read AWS_REGION, and first (SDKs and tools reference
    guide, "AWS Region").
    """
    import botocore.session

    variables: Any = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
    session = botocore.session.Session(profile=profile, session_vars=variables)
    sdk.tell_utc(session)
    sdk.refuse_half_answers(session)
    return session


def _config(limits: Limits, *, retry: str = "standard") -> Any:
    """The limits as the SDK's own client takes them."""
    from botocore.config import Config

    retries: Any = {"mode": retry, "total_max_attempts": limits.attempts}
    return Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries=retries,
        user_agent=lean_client.AGENT,
    )


def _refuse_acts(model: Any, **_: Any) -> None:
    if not model.name.startswith(READING):
        raise ActionDenied(f"{model.name} is not a read, and this only looks")


def load_policy(path: Path = POLICY_FILE) -> Policy:
    """The policy that was deployed with the code.

    Raises:
        PolicyError: the file is missing or cannot be used; it names the file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = Problem(
            path=path.name,
            got=f"{type(error).__name__}: {error}",
            allowed="the policy that the synth wrote",
            change="deploy the responder's stack again",
        )
        raise PolicyError("the policy file", (problem,)) from error
    return parse_policy(document)


def load_index(path: Path = POLICY_INDEX) -> IndexedPolicy:
    """The same policy, to be asked about one alarm at a time; raises as `load_policy`."""
    return IndexedPolicy(path)


def utc_now() -> datetime:
    """The clock. The only one."""
    return datetime.fromtimestamp(time.time(), tz=UTC)


def _a_moment() -> None:
    time.sleep(0.1 + secrets.randbelow(300) / 1000)


def new_id(now: datetime) -> str:
    """An incident's or a claim's name: when, and something nobody else drew. 28 characters."""
    return naming.incident_id(now, secrets.token_hex(4))


def _kinds(policy: Policy) -> set[str]:
    return {target.kind for service in policy.services for target in service.targets}


def _furnished(policy: Policy, kinds: Collection[str], table: str, client: Client) -> Rooms:
    # The claim, the alarm, the budget and the targets of a service are read at once.
    pool = ThreadPoolExecutor(max_workers=8)

    def start(call: Callable[[], T], /) -> Callable[[], T]:
        return pool.submit(call).result

    clients = Clients(
        reads=lambda service: client(service, READS), acts=lambda service: client(service, ONCE)
    )
    dynamodb = client("dynamodb", READS)
    return Rooms(
        policy=policy,
        journal=DynamoDbJournal(dynamodb, table, LEASE),
        budget=DynamoDbBudget(dynamodb, table),
        metrics=CloudWatchMetrics(client("cloudwatch", READS)),
        pointers=pointers(kinds, clients),
        rollouts=rollouts(kinds, clients),
        clock=utc_now,
        stopwatch=time.monotonic,
        wait=_a_moment,
        new_id=new_id,
        start=start,
    )


def _waking(wiring: Wiring, queue_url: str, client: Client) -> Wake:
    """Wakes `respond` through its queue."""
    from rollback_responder.signals import wake

    sqs = client("sqs", READS)

    def wake_respond(alarm_name: str) -> None:
        body = wake.body(alarm_name, account_id=wiring.account_id, region=wiring.region)
        try:
            sqs.send_message(QueueUrl=queue_url, MessageBody=body)
        except AwsError as error:
            raise QueueError(f"respond could not be woken: {name_of(error)}") from error

    return wake_respond


def _reading(secret_arn: str, client: Client) -> Callable[[], str]:
    """Reads the Slack secret, each time anew.

    What it returns raises NotificationError, which a retry may help, where it cannot be read.
    """
    secrets_manager = client("secretsmanager", READS)

    def read_secret() -> str:
        try:
            answer = secrets_manager.get_secret_value(SecretId=secret_arn)
        except AwsError as error:
            what = f"the Slack secret could not be read: {name_of(error)}"
            raise NotificationError(what, retryable=True) from error
        # One that was put there as bytes is no text of ours; `parse_secret` says what it must be.
        return str(answer.get("SecretString", ""))

    return read_secret


def _parking(queue_url: str, client: Client) -> Callable[[str, str, str], None]:
    """Parks a message in a queue, with the reason and the detail as attributes.

    What SQS would not take is made to fit, so that bad input is parked at once and never comes
    again. That is rare, so no cold start waits for its client.
    """
    sqs = cache(partial(client, "sqs", READS))

    def park(body: str, reason: str, detail: str) -> None:
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("reason", reason), ("detail", _takeable(redacted(detail)[:256])))
        }
        text = _takeable(body)
        try:
            sqs().send_message(QueueUrl=queue_url, MessageBody=text, MessageAttributes=attributes)
        except AwsError as error:
            raise QueueError(f"a message could not be parked: {name_of(error)}") from error

    return park


def _takeable(text: str) -> str:
    """The text as SQS takes it: at least one character, none but its own, not too many bytes.

    Sources: SQS API reference, SendMessage (the characters; 1 MiB together with the attributes).
    """
    fit = re.sub(NOT_TAKEN, "\ufffd", text).encode()[:LARGEST_PARKED].decode(errors="ignore")
    return fit or "(empty)"


def _clients(data: Path = lean_client.DATA) -> Client:
    """What calls AWS with the region and the credentials that the runtime provides.

    It reads the data that is shipped beside the code; where there is none, the SDK's own.
    """
    if data.is_dir():
        loader = Loader([str(data)], include_default_search_paths=False)
        trusted = data / lean_client.ROOTS
    else:
        loader = Loader()
        trusted = Path(os.environ.get("AWS_CA_BUNDLE") or where())
    return partial(_lean, loader, Roots(trusted))


def _lean(loader: Any, roots: Roots, service: str, limits: Limits) -> LeanClient:
    return LeanClient(service, limits, loader=loader, roots=roots, environment=os.environ)
