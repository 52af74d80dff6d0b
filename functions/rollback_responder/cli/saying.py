"""Saying something to the responder: what is shown, who is asked, and what goes to the desk."""

from collections.abc import Callable

from rollback_responder import bootstrap
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.cli.failure import BadUsage, NotConfirmed, NotRead
from rollback_responder.cli.identity import Identity, identity
from rollback_responder.cli.incidents import incident_named
from rollback_responder.cli.place import Place
from rollback_responder.cli.report import report_of
from rollback_responder.cli.screen import DOUBT, STATE_STYLES, Screen
from rollback_responder.desk import Desk
from rollback_responder.domain.errors import QueueError
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.order import Order
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.response import Mode
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.ports import Wake
from rollback_responder.signals import wake

QUEUE = "AlarmQueueUrl"


def about_incident(
    place: Place,
    incident_id: str,
    says: str | Callable[[Incident], str],
    make: Callable[[Incident, str], Order],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """An order about one incident: shows it, and what the order would do."""
    screen = Screen()
    with screen.waiting("reading the journal"):
        incident = incident_named(place.records, incident_id)
    report = report_of(incident)
    shown = [f"{title}: {text}" for title, text in report.summary[1:3]]
    give(
        place,
        incident.service,
        [*shown, says if isinstance(says, str) else says(incident)],
        lambda by: make(incident, by),
        yes=yes,
        as_json=as_json,
        head=(report.headline, f"bold {STATE_STYLES[incident.state]}".strip()),
    )


def give(
    place: Place,
    word: str,
    shown: list[str],
    make: Callable[[str], Order],
    *,
    yes: bool,
    as_json: bool,
    head: tuple[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """Shows, asks, and hands the order to the desk. `word` is typed to confirm in production.

    What was taken is told, unless it should be `quiet`.
    """
    policy, screen = place.policy, Screen()
    with screen.waiting("asking AWS who you are"):
        who = identity(place)
    if not yes:
        # Beside the answer, so that --json stays JSON.
        if head:
            screen.note(*head)
        for text in shown:
            screen.note(text)
        screen.note(f"It is said in the name of {who.person}.", DOUBT)
        _confirm(screen, policy, word)
    desk = Desk(
        policy=policy,
        book=DynamoDbBook(place.reader("dynamodb"), place.table),
        wake=_wake(place, who),
        clock=bootstrap.utc_now,
    )
    with screen.waiting("telling the responder"):
        taken = desk.take(make(who.person))
    if as_json:
        screen.json({"taken": taken, "by": who.person})
    elif not quiet:
        screen.line(f"{taken[:1].upper()}{taken[1:]}.")


def is_felt(policy: Policy) -> bool:
    """Whether a slip would be felt: the policy acts by itself, or is named so."""
    modes = {policy.mode_of(service) for service in policy.services}
    return policy.is_production or Mode.ENFORCE in modes


def _confirm(screen: Screen, policy: Policy, word: str) -> None:
    """Asks on the terminal.

    Raises:
        NotConfirmed: the answer was anything but a clear yes.
        BadUsage: there is nobody to answer.
    """
    in_production = is_felt(policy)
    question = f"Type {word} to do it: " if in_production else "Do it? [y/N] "
    try:
        answer = screen.ask(question).strip()
    except EOFError:
        raise BadUsage("nobody answered the question; in a script, pass --yes") from None
    agreed = answer == word if in_production else answer.lower() in {"y", "yes"}
    if not agreed:
        raise NotConfirmed("nothing was done")


def _wake(place: Place, who: Identity) -> Wake:
    """Asks `respond` to look at once; the watcher would within a minute."""

    def ask(alarm_name: str) -> None:
        body = wake.body(alarm_name, account_id=who.account_id, region=who.region)
        try:
            place.reader("sqs").send_message(QueueUrl=place.output(QUEUE), MessageBody=body)
        except AwsError as error:
            raise QueueError(f"respond could not be woken: {name_of(error)}") from error
        except NotRead as error:
            raise QueueError(f"respond could not be woken: {error}") from error

    return ask
