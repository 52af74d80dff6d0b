"""Whether a rollback helped: not before it can be said, and never more than can be said."""

from datetime import timedelta

import pytest

from rollback_responder.domain.decision import Reason
from rollback_responder.domain.incident import State
from rollback_responder.domain.measurement import Measurement
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.trigger import AdoptedAlarm
from rollback_responder.domain.verification import overdue, verify
from tests.builders import (
    MINUTE,
    NOW,
    a_rolled_back_incident,
    an_alarm,
    an_incident,
    an_observation,
    minutes,
)

OK = an_alarm(AlarmState.OK)
BACK = an_observation("1")
DUE = 15


def outcome(*, after, errors=(), alarm=OK, observation=BACK, lag=0, seconds=0, **changes):
    """`after` minutes after the act, with these errors in the minutes that end then."""
    now = NOW + after * MINUTE + timedelta(seconds=seconds)
    measurement = Measurement(
        since_at=NOW, read_at=now, total=minutes(*errors, end_at=NOW + after * MINUTE, requests=60)
    )
    return verify(
        a_rolled_back_incident(**changes),
        alarm=alarm,
        observation=observation,
        measurement=measurement,
        now=now,
        lag=lag * MINUTE,
    )


def said(found):
    return found and (found.state, found.reason)


FIXED = (State.FIXED, Reason.SYMPTOM_GONE)
TOO_LITTLE = (State.UNKNOWN, Reason.NOT_ENOUGH_DATA)


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
         (State.UNKNOWN, Reason.MOVED_AGAIN)),
        ({"after": 1, "observation": an_observation("1", "2")},
         (State.UNKNOWN, Reason.MOVED_AGAIN)),
    ],
)  # fmt: skip
def test_outcomes(given, expected):
    assert said(outcome(**given)) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"after": 3, "errors": (0, 0, 0)}, "alarm OK and no bad minute in 3 min, 180 requests"),
        ({"after": DUE, "alarm": an_alarm()}, "the alarm still fires 15 min after"),
        ({"after": DUE, "alarm": None}, "the alarm can no longer be found"),
        ({"after": DUE, "observation": None}, "the target does not exist any more"),
        ({"after": DUE, "errors": (0, 30, 0)}, "the alarm is OK, but not each of the last"),
        ({"after": 1, "observation": an_observation("4")}, "moved it to version 4"),
    ],
)
def test_the_words_say_what_was_seen(given, words):
    assert words in outcome(**given).text


def test_a_minute_with_too_few_requests_is_not_healthy():
    measurement = Measurement(
        since_at=NOW, read_at=NOW, total=minutes(0, 0, 0, end_at=NOW + 3 * MINUTE, requests=6)
    )
    found = verify(
        a_rolled_back_incident(),
        alarm=OK,
        observation=BACK,
        measurement=measurement,
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
        measurement=None,
        now=now,
        lag=timedelta(0),
    )
    assert said(found) == expected


def test_without_a_measurement_a_measured_trigger_is_never_fixed():
    found = verify(
        a_rolled_back_incident(),
        alarm=OK,
        observation=BACK,
        measurement=None,
        now=NOW + 5 * MINUTE,
        lag=timedelta(0),
    )
    assert found is None


@pytest.mark.parametrize(("after", "expected"), [(DUE - 1, None), (DUE, TOO_LITTLE)])
def test_what_cannot_be_looked_at_ends_by_its_deadline(after, expected):
    assert said(overdue(a_rolled_back_incident(), "AccessDenied", NOW + after * MINUTE)) == expected


def test_what_was_never_acted_upon_has_no_outcome():
    incident = an_incident((State.WATCHING, Reason.METRIC_BREACHING))
    with pytest.raises(ValueError, match="never acted upon"):
        verify(incident, alarm=OK, observation=BACK, measurement=None, now=NOW, lag=timedelta(0))
    assert overdue(incident, "x", NOW + 60 * MINUTE) is None
