"""Whether a rollback helped: not before it can be said, and never more than can be said."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import LegState
from rollback_responder.domain.measurement import Bucket
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.trigger import (
    AdoptedAlarm,
    Api,
    ApiErrorRate,
    DeadLetters,
    ErrorRate,
    LatencyTimesNormal,
)
from rollback_responder.domain.verification import overdue, question_about, verify
from tests.builders import (
    MINUTE,
    NOW,
    STACK,
    a_leg,
    a_moved_leg,
    a_rolled_back_incident,
    an_alarm,
    an_incident,
    an_observation,
    evidence,
    leveled,
    minutes,
)

OK = an_alarm(AlarmState.OK)
BACK = an_observation("1")
DUE = 15
NONE = frozenset()


def outcome(*, after, errors=(), alarm=OK, observation=BACK, lag=0, seconds=0, bad=NONE, **changes):
    """`after` minutes after the act, with these errors in the minutes that end then."""
    now = NOW + after * MINUTE + timedelta(seconds=seconds)
    buckets = minutes(*errors, end_at=NOW + after * MINUTE, requests=60)
    return verify(
        a_rolled_back_incident(**changes),
        alarm=alarm,
        observation=observation,
        buckets=buckets,
        bad_versions=bad,
        now=now,
        lag=lag * MINUTE,
    )


def said(found):
    return found and (found.state, found.reason)


FIXED = (State.FIXED, Reason.SYMPTOM_GONE)
TOO_LITTLE = (State.UNKNOWN, Reason.NOT_ENOUGH_DATA)
MOVED = (State.UNKNOWN, Reason.MOVED_AGAIN)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"after": 3, "errors": (0, 0, 0)}, FIXED),
        ({"after": 2, "errors": (0, 0)}, None),
        ({"after": 3, "errors": (0, 0, 0), "lag": 1}, None),
        ({"after": 4, "errors": (0, 0, 0, 0), "lag": 1}, FIXED),
        # A minute that may be incomplete cannot acquit, but it can convict.
        ({"after": 4, "errors": (0, 0, 0, 30), "lag": 1}, None),
        ({"after": 4, "errors": (0, 0, 0), "seconds": 30}, FIXED),
        ({"after": 5, "errors": (0, None, 0, 0, 0)}, FIXED),
        ({"after": 4, "errors": (0, None, 0, 0)}, None),
        ({"after": 4, "errors": (0, 0, None, 0)}, None),
        ({"after": 4, "errors": (0, 30, 0, 0)}, None),
        ({"after": 5, "errors": (0, 30, 0, 0, 0)}, FIXED),
        # Before the act does not count.
        ({"after": 1, "errors": (0, 0, 0, 0, 0)}, None),
        ({"after": 3, "errors": (0, 0, 0), "alarm": an_alarm()}, None),
        ({"after": 3, "errors": (0, 0, 0), "alarm": an_alarm(AlarmState.INSUFFICIENT_DATA)}, None),
        ({"after": 3, "errors": (0, 0, 0), "alarm": None}, None),
        ({"after": 3, "errors": (0, 0, 0), "observation": None}, None),
        ({"after": DUE, "alarm": an_alarm()}, (State.NOT_FIXED, Reason.SYMPTOM_REMAINS)),
        ({"after": DUE}, TOO_LITTLE),
        ({"after": DUE, "alarm": None}, TOO_LITTLE),
        ({"after": DUE, "observation": None}, TOO_LITTLE),
        ({"after": DUE, "observation": None, "alarm": an_alarm()}, TOO_LITTLE),
        ({"after": DUE - 1}, None),
        ({"after": 3, "errors": (0, 0, 0), "observation": an_observation("3")},
         MOVED),
        ({"after": 1, "observation": an_observation("1", "2")},
         MOVED),
    ],
)  # fmt: skip
def test_outcomes(given, expected):
    assert said(outcome(**given)) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"after": 3, "errors": (0, 0, 0)}, "alarm OK and no bad minute in 3 min, 180 requests"),
        (
            {"after": DUE, "alarm": an_alarm()},
            "the alarm still fires 15 min after everything was back",
        ),
        ({"after": DUE, "alarm": None}, "the alarm can no longer be found"),
        ({"after": DUE, "observation": None}, "the target does not exist any more"),
        ({"after": DUE, "errors": (0, 30, 0)}, "the alarm is OK, but not each of the last"),
        (
            {"after": 1, "observation": an_observation("4")},
            "the alias is at version 4: somebody moved it since",
        ),
    ],
)
def test_the_words_say_what_was_seen(given, words):
    assert words in outcome(**given).text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"after": DUE, "alarm": None}, "the alarm can no longer be found"),
        ({"after": DUE, "observation": None}, "the target does not exist any more"),
        (
            {"after": 1, "observation": an_observation("4")},
            (
                "the alias is at version 4: somebody moved it since, or what was rolled back had"
                " not put it there"
            ),
        ),
        (
            {
                "after": 1,
                "observation": an_observation("4"),
                "bad": frozenset({"4"}),
                "legs": (a_leg(),),
            },
            "the alias is at version 4, which was rolled back from before",
        ),
    ],
)
def test_why_it_is_not_known_is_said_in_full(given, text):
    assert outcome(**given).text == text


def test_a_minute_with_too_few_requests_is_not_healthy():
    buckets = minutes(0, 0, 0, end_at=NOW + 3 * MINUTE, requests=1)
    found = verify(
        a_rolled_back_incident(),
        alarm=OK,
        observation=BACK,
        buckets=buckets,
        bad_versions=NONE,
        now=NOW + 3 * MINUTE,
        lag=timedelta(0),
    )
    assert found is None


@pytest.mark.parametrize(
    ("quiet_for", "after", "expected"),
    [(3, 5, FIXED), (2, 5, None), (9, 3, FIXED), (9, 2, None), (2, DUE, TOO_LITTLE)],
)
def test_an_adopted_alarm_must_have_been_quiet_for_as_long(quiet_for, after, expected):
    now = NOW + after * MINUTE
    found = verify(
        a_rolled_back_incident(trigger=AdoptedAlarm(name="legacy")),
        alarm=an_alarm(AlarmState.OK, transitioned_at=now - quiet_for * MINUTE),
        observation=BACK,
        buckets=None,
        bad_versions=NONE,
        now=now,
        lag=timedelta(0),
    )
    assert said(found) == expected


STOPPED = {"to_version": None, "legs": (a_leg(state=LegState.BACK),)}
BAD = frozenset({"7"})
WRONG = (State.UNKNOWN, Reason.WRONG_VERSION)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Nobody knows what a rollout puts back, so wherever the pointer is, it is where it was put.
        ({"observation": an_observation("7")}, FIXED),
        ({"observation": an_observation("7"), "to_version": "6"}, MOVED),
        ({"observation": an_observation("6", "7")}, MOVED),
        ({"observation": an_observation("7"), "bad": BAD}, WRONG),
        ({"observation": an_observation("6", "7"), "bad": BAD}, WRONG),
        ({"observation": an_observation("7"), "bad": BAD, "to_version": "7"}, WRONG),
        ({"observation": None, "bad": BAD}, None),
        # Where we moved it ourselves, we knew where to.
        ({"bad": frozenset({"1"}), "to_version": "1", "legs": (a_moved_leg(),)}, FIXED),
    ],
)
def test_where_a_rollout_leads_back_to(given, expected):
    assert said(outcome(**({"after": 3, "errors": (0, 0, 0)} | STOPPED | given))) == expected


@pytest.mark.parametrize(
    ("alarm", "after", "expected"),
    [
        (AlarmState.OK, 5, FIXED),
        (AlarmState.ALARM, 5, None),
        (AlarmState.ALARM, DUE, (State.NOT_FIXED, Reason.SYMPTOM_REMAINS)),
        (AlarmState.INSUFFICIENT_DATA, DUE, TOO_LITTLE),
    ],
)
def test_a_service_without_an_alias_has_nothing_but_its_alarm(alarm, after, expected):
    found = verify(
        a_rolled_back_incident(
            target=STACK, trigger=AdoptedAlarm(name="legacy"), release=None, **STOPPED
        ),
        alarm=an_alarm(alarm, transitioned_at=NOW),
        observation=None,
        buckets=None,
        bad_versions=NONE,
        now=NOW + after * MINUTE,
        lag=timedelta(0),
    )
    assert said(found) == expected


def test_the_deadline_runs_from_when_everything_was_back_not_from_the_act():
    late = {"acted_at": NOW - 300 * MINUTE, "alarm": an_alarm()}

    assert outcome(after=DUE - 1, **late) is None
    assert outcome(after=DUE, **late).state is State.NOT_FIXED


def test_without_a_measurement_a_measured_trigger_is_never_fixed():
    found = verify(
        a_rolled_back_incident(),
        alarm=OK,
        observation=BACK,
        buckets=None,
        bad_versions=NONE,
        now=NOW + 5 * MINUTE,
        lag=timedelta(0),
    )
    assert found is None


@pytest.mark.parametrize(("after", "expected"), [(DUE - 1, None), (DUE, TOO_LITTLE)])
def test_what_cannot_be_looked_at_ends_by_its_deadline(after, expected):
    assert said(overdue(a_rolled_back_incident(), "AccessDenied", NOW + after * MINUTE)) == expected


def test_what_is_not_back_has_no_outcome():
    incident = an_incident((State.WATCHING, Reason.METRIC_BREACHING))
    with pytest.raises(ValueError, match="has nothing back yet"):
        verify(
            incident,
            alarm=OK,
            observation=BACK,
            buckets=None,
            bad_versions=NONE,
            now=NOW,
            lag=timedelta(0),
        )
    assert overdue(incident, "x", NOW + 60 * MINUTE) is None


# -- triggers with a metric of their own ----------------------------------------------------------

FIRES = an_alarm(AlarmState.ALARM)
DEAD = DeadLetters(queue="dead")


def numbers(*values, requests=1):
    """One minute for each number, from the act on."""
    return tuple(
        Bucket(start_at=NOW + number * MINUTE, requests=requests, value=value)
        for number, value in enumerate(values)
    )


def verified(trigger, buckets, *, after, alarm=OK, **changes):
    return verify(
        a_rolled_back_incident(trigger=trigger, **changes),
        alarm=alarm,
        observation=BACK,
        buckets=buckets,
        bad_versions=NONE,
        now=NOW + after * MINUTE,
        lag=timedelta(0),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((4, 4, 4, 4), FIXED),
        ((4, 3, 3, 2), FIXED),
        ((9, 4, 4, 4, 3), FIXED),
        ((2, 4, 4, 4, 4), FIXED),
        # Somebody takes them away while more of them come.
        ((4, 6, 2, 4), None),
        ((4, 4, 4, 5), None),
        ((4, 4, 4), None),
        ((), None),
    ],
)
def test_what_stays_until_a_person_takes_it_away_must_not_grow(values, expected):
    """Nobody empties a dead-letter queue by rolling back, so its alarm goes on firing."""
    found = verified(DEAD, numbers(*values), after=len(values), alarm=FIRES)

    assert said(found) == expected
    assert not found or f"{values[-1]} are left" in found.text


@pytest.mark.parametrize(
    ("first", "lag", "expected"),
    [
        # Four whole minutes: before the act none counts, and none that may be incomplete.
        (0, 0, FIXED),
        (-1, 0, None),
        (0, 1, None),
    ],
)
def test_what_stays_is_counted_in_whole_minutes_since_the_act(first, lag, expected):
    buckets = leveled(4, 4, 4, 4, first=first, requests=1)
    found = verify(
        a_rolled_back_incident(trigger=DEAD),
        alarm=FIRES,
        observation=BACK,
        buckets=buckets,
        bad_versions=NONE,
        now=NOW + (4 + first) * MINUTE,
        lag=lag * MINUTE,
    )

    assert said(found) == expected


def test_a_minute_in_which_nothing_stays_is_one_with_none():
    empty = tuple(replace(bucket, value=None) for bucket in leveled(1, 1, 1, 1, requests=1))

    assert verified(DEAD, empty, after=4).text == (
        "no more messages in the dead-letter queue for 3 min; 0 are left, for you to redrive"
    )


def test_what_stays_and_cannot_be_read_is_not_over():
    assert verified(DEAD, None, after=5) is None


@pytest.mark.parametrize(("value", "expected"), [(499, FIXED), (501, None)])
def test_five_times_normal_is_held_against_the_normal_it_was_judged_by(value, expected):
    trigger = LatencyTimesNormal(statistic="p50", times=5)
    judged = Assessment(new=evidence(threshold=500.0))
    buckets = numbers(value, value, value, requests=60)

    assert said(verified(trigger, buckets, after=3, assessment=judged)) == expected


def test_where_no_normal_was_known_nothing_is_bad():
    """The alarm alone says it: the trigger was trusted without a measurement."""
    trigger = LatencyTimesNormal(statistic="p50", times=5)

    assert said(verified(trigger, numbers(9, 9, 9, requests=60), after=3)) == FIXED


def test_what_is_measured_to_verify():
    api = ApiErrorRate(api=Api(name="shop"), threshold_percent=1)
    assert question_about(a_rolled_back_incident(trigger=AdoptedAlarm(name="x"))) is None
    assert question_about(a_rolled_back_incident(trigger=api, target=STACK)) is not None
    assert (
        question_about(a_rolled_back_incident(trigger=ErrorRate(threshold_percent=5), target=STACK))
        is None
    )
