"""What a round is drawn from, what carries its events, and who says how it ended."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from infra import notifier, responder
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from rollback_responder.notifiers.message import message_of, reply
from tests.builders import MINUTE, NOW, a_rolled_back_incident, an_incident
from tests.parts.bus import AT_ONCE, BATCH, Bus, Stream
from tests.parts.clock import Leaps
from tests.parts.deployed import ACCOUNT
from tests.parts.judge import End, is_at_rest, judged
from tests.parts.plan import (
    AFTER,
    BEFORE,
    CALLS,
    NOTIFY,
    RESPOND,
    Failure,
    Kind,
    Moment,
    What,
    drawn,
)

FIFTY = range(1, 51)


def fixed():
    incident = a_rolled_back_incident()
    return incident.step(NOW + 5 * MINUTE, State.FIXED, Reason.SYMPTOM_GONE, "the symptom is gone")


def told(incident, *, leaving_out=(), order=None, twice=()):
    """The thread of an incident."""
    shown = message_of(incident, account_id=ACCOUNT.id, region=ACCOUNT.region)
    head = SimpleNamespace(ts="1", thread_ts=None, text="", blocks=(shown.footer, incident.id))
    numbers = order or range(len(incident.steps))
    replies = [n for n in numbers if n not in leaving_out for _ in range(1 + (n in twice))]
    return (
        head,
        *(
            SimpleNamespace(ts=str(n + 2), thread_ts="1", blocks=(), text=reply(incident.steps[n]))
            for n in replies
        ),
    )


def an_end(*incidents, **changes):
    given = {
        "acts": (("move", "2>1"),),
        "version": "1",
        "weights": {},
        "rollout": (),
        "incidents": incidents,
        "claimed": False,
        "waiting": False,
        "messages": tuple(message for one in incidents for message in told(one)),
    }
    return End(**given | changes)


GOOD = an_end(fixed())
NOTIFY_DIED = Failure(what=What.KILL, at=Moment(function=NOTIFY, number=3, side=AFTER))
RESPOND_DIED = Failure(what=What.KILL, at=Moment(function=RESPOND, number=3, side=AFTER))


def test_a_good_round_is_good():
    assert judged(GOOD, []).wrong == ()
    assert not judged(GOOD, []).held
    assert is_at_rest(GOOD)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "2"},
        {"weights": {"2": 0.1}},
        {"acts": ()},
        {"claimed": True},
        {"waiting": True},
        {"incidents": (), "messages": ()},
        {"incidents": (a_rolled_back_incident(),), "messages": told(a_rolled_back_incident())},
    ],
)
def test_what_is_lost_is_seen(changes):
    assert judged(replace(GOOD, **changes), []).lost


def test_whoever_is_not_called_has_lost_it():
    quiet = an_incident((State.STOOD_DOWN, Reason.ALARM_NOT_FIRING, "it went away"))
    loud = an_incident((State.STOOD_DOWN, Reason.ACTION_DENIED, "AWS refused"))

    assert judged(an_end(quiet, acts=(), version="2"), []).lost
    verdict = judged(an_end(loud, acts=(), version="2"), [])
    assert verdict.held
    assert verdict.wrong == ()


def test_two_acts_are_one_too_many():
    assert judged(replace(GOOD, acts=GOOD.acts * 2), []).twice


def test_a_reply_that_is_missing_is_seen():
    assert judged(replace(GOOD, messages=told(fixed(), leaving_out=[1])), []).thread


def test_replies_in_another_order_are_seen():
    assert judged(replace(GOOD, messages=told(fixed(), order=[1, 0])), []).thread


def test_a_message_is_repeated_only_where_its_answer_was_lost():
    again = replace(GOOD, messages=told(fixed(), twice=[0]))

    assert judged(again, []).thread
    assert judged(again, [RESPOND_DIED]).thread
    assert judged(again, [NOTIFY_DIED]).wrong == ()
    assert judged(again, [NOTIFY_DIED]).repeats == 1


def test_a_round_is_drawn_alike_from_the_same_seed():
    assert [drawn(3, number) for number in FIFTY] == [drawn(3, number) for number in FIFTY]
    assert drawn(3, 1) != drawn(4, 1)


@pytest.mark.parametrize("seed", range(5))
def test_fifty_rounds_have_everything_that_may_fail(seed):
    plans = [drawn(seed, number) for number in FIFTY]
    failures = [failure for plan in plans for failure in plan.failures]

    assert {plan.kind for plan in plans} == set(Kind)
    assert {failure.what for failure in failures} == set(What)
    tables = [failure.at for failure in failures if failure.what is What.TABLE]
    assert {at.is_the_act for at in tables} == {True, False}
    killed = Counter(failure.at.function for failure in failures if failure.what is What.KILL)
    assert killed.keys() >= set(CALLS)
    assert {failure.at.side for failure in failures} == {BEFORE, AFTER}


def test_the_clock_leaps_for_whoever_reads_it(tmp_path):
    clock = Leaps(tmp_path / "leaps")
    before = clock.now()
    clock.leap(timedelta(minutes=10))

    assert timedelta(minutes=10) <= clock.now() - before < timedelta(minutes=11)


def test_the_bus_takes_as_much_at_once_as_is_deployed():
    assert (BATCH, AT_ONCE) == (responder.BATCH_SIZE, responder.CONCURRENCY)
    assert notifier.BATCH_SIZE == BATCH


def carried(stream, answer, clock):
    """A stream's batch, told by a function that answers so."""
    bus = object.__new__(Bus)
    bus._stream, bus._clock, bus.dead = stream, clock, False
    bus._deployed = SimpleNamespace(functions={"notify": "notify"})
    bus._call = lambda *_: answer
    bus._tell(stream.batch())


def a_stream():
    stream = Stream("arn")
    stream.records = [{"dynamodb": {"SequenceNumber": str(number)}} for number in range(3)]
    return stream


@pytest.mark.parametrize(
    ("answer", "position"),
    [
        ({"batchItemFailures": []}, 3),
        ({"batchItemFailures": [{"itemIdentifier": "1"}]}, 1),
        (None, 0),
    ],
)
def test_a_stream_goes_on_from_what_failed_and_waits_a_while(tmp_path, answer, position):
    stream = a_stream()
    carried(stream, answer, Leaps(tmp_path / "leaps"))

    assert stream.position == position
    assert (stream.not_before is None) == (position == 3)
