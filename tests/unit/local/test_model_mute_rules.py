"""Alarm mute rules: their windows, and what they hold back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws_model import announcements
from local.aws_model.alarm import Actions, CompositeAlarm, MetricAlarm, Suppressor
from local.aws_model.alarm_book import Account
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.errors import ModelError
from local.aws_model.evaluation import State, TreatMissingData
from local.aws_model.metrics import Metric, Statistic
from local.aws_model.mute_rules import MuteRule, MuteStatus
from local.aws_model.queries import MetricStat

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
OTHER = "arn:aws:sns:us-east-1:123456789012:others"
ACCOUNT = Account(id="123456789012")
ERRORS = Metric.of("Shop", "Errors")
SCHEDULED, ACTIVE, EXPIRED = MuteStatus.SCHEDULED, MuteStatus.ACTIVE, MuteStatus.EXPIRED


def alarm(name="errors", metric=ERRORS, **actions):
    return MetricAlarm(
        name=name,
        stat=MetricStat(metric=metric, period=MINUTE, statistic=Statistic.parse("Sum")),
        evaluation_periods=1,
        threshold=5.0,
        comparison="GreaterThanThreshold",
        treat_missing_data=TreatMissingData.NOT_BREACHING,
        actions=Actions(**(actions or {"alarm": (TOPIC,)})),
    )


def mute(start=1, minutes=4, *, name="deploy", alarms=("errors",), **changes):
    """A window that begins so many minutes after START."""
    settings = {
        "name": name,
        "expression": f"at({START + start * MINUTE:%Y-%m-%dT%H:%M})",
        "duration": f"PT{minutes}M",
        "alarm_names": alarms,
    }
    return MuteRule(**(settings | changes))


class World:
    """Minute n is the n-th minute after START; the alarm is OK before the first."""

    def __init__(self, *alarms):
        self.now = START - MINUTE
        self.seen = []
        self.model = CloudWatch(account=ACCOUNT, clock=lambda: self.now, listener=self.listen)
        self.model.put_alarms(alarms or [alarm()])
        self.minute(0)
        self.seen.clear()

    def listen(self, transition):
        self.seen.append(transition)
        return [(arn, None) for arn in transition.actions]

    def minute(self, value, metric=ERRORS):
        self.model.record(metric, timestamp=self.now, value=value)
        self.now += MINUTE
        self.model.tick()

    def changes(self):
        """What was announced: from, to, whether a rule muted it, and its actions."""
        return [
            (t.previous.value.value, t.current.value.value, t.muted is not None, t.actions)
            for t in self.seen
        ]


def test_a_muted_alarm_changes_and_is_announced_but_performs_nothing():
    world = World()
    world.model.put_mute_rule(mute())
    world.minute(9)
    world.minute(0)
    world.minute(0)
    world.minute(0)
    world.minute(0)
    world.minute(9)
    assert world.changes() == [
        ("OK", "ALARM", True, ()),
        ("ALARM", "OK", True, ()),
        ("OK", "ALARM", False, (TOPIC,)),
    ]
    event = announcements.event_bridge_event(world.seen[0], ACCOUNT)
    assert event["detail"]["muteDetail"] == {
        "mutedByArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:deploy",
        "muteWindowStart": "2026-11-22T12:01:00.000+0000",
        "muteWindowEnd": "2026-11-22T12:05:00.000+0000",
    }
    assert "muteDetail" not in announcements.event_bridge_event(world.seen[2], ACCOUNT)["detail"]


def test_what_was_held_back_runs_when_the_window_ends():
    world = World()
    world.model.put_mute_rule(mute())
    for _ in range(4):
        world.minute(9)
    assert world.changes() == [("OK", "ALARM", True, ())]
    world.minute(9)
    assert world.changes()[1:] == [("ALARM", "ALARM", False, (TOPIC,))]
    world.minute(9)
    assert len(world.seen) == 2
    kinds = [(item.kind, item.at) for item in world.model.history()]
    assert kinds[-1] == ("Action", START + 5 * MINUTE)
    assert kinds[-2] == ("StateUpdate", START + MINUTE)


def test_an_alarm_that_fired_before_the_window_fires_no_second_time():
    world = World()
    world.model.put_mute_rule(mute(start=2))
    for _ in range(8):
        world.minute(9)
    assert world.changes() == [("OK", "ALARM", False, (TOPIC,))]


def test_overlapping_rules_mute_until_the_last_one_ends():
    world = World()
    world.model.put_mute_rule(mute(minutes=2, name="b"))
    world.model.put_mute_rule(mute(start=2, minutes=4, name="a"))
    for _ in range(5):
        world.minute(9)
    assert world.changes() == [("OK", "ALARM", True, ())]
    assert world.seen[0].muted.arn.endswith(":b")
    world.minute(9)
    assert world.changes()[1:] == [("ALARM", "ALARM", False, (TOPIC,))]
    assert world.seen[1].current.updated_at == START + MINUTE


@pytest.mark.parametrize(
    "end",
    [
        lambda model: model.delete_mute_rule("deploy"),
        lambda model: model.put_mute_rule(mute(minutes=1)),
        lambda model: model.put_mute_rule(mute(alarms=())),
        lambda model: model.put_mute_rule(mute(start=30)),
    ],
)
def test_a_rule_that_is_taken_back_unmutes_at_once(end):
    world = World()
    world.model.put_mute_rule(mute())
    world.minute(9)
    world.now += timedelta(seconds=61)
    (unmuted,) = end(world.model)
    assert (unmuted.actions, unmuted.current.value) == ((TOPIC,), State.ALARM)


def test_the_actions_that_run_then_are_those_of_then():
    world = World()
    world.model.put_mute_rule(mute())
    world.minute(9)
    world.model.put_alarms([alarm(alarm=(OTHER,))])
    for _ in range(4):
        world.minute(9)
    assert world.changes()[1:] == [("ALARM", "ALARM", False, (OTHER,))]


def test_the_state_at_the_end_decides_what_runs():
    world = World(alarm(alarm=(TOPIC,), ok=(OTHER,)))
    world.minute(9)
    world.model.put_mute_rule(mute(start=2))
    for value in (0, 9, 9, 0, 0):
        world.minute(value)
    assert world.changes() == [
        ("OK", "ALARM", False, (TOPIC,)),
        ("ALARM", "OK", True, ()),
        ("OK", "ALARM", True, ()),
        ("ALARM", "OK", True, ()),
        ("OK", "OK", False, (OTHER,)),
    ]


@pytest.mark.parametrize("actions", [{"ok": (TOPIC,)}, {"enabled": False, "alarm": (TOPIC,)}])
def test_without_actions_nothing_happens_at_the_end(actions):
    world = World(alarm(**actions))
    world.model.put_mute_rule(mute())
    for _ in range(6):
        world.minute(9)
    assert world.changes() == [("OK", "ALARM", True, ())]


def test_a_state_set_by_hand_is_muted_too():
    world = World()
    world.model.put_mute_rule(mute(start=0))
    world.model.set_alarm_state("errors", State.ALARM, "a drill")
    assert world.changes() == [("OK", "ALARM", True, ())]


def test_a_rule_does_not_reach_into_minutes_before_it_was_put():
    world = World()
    world.model.record(ERRORS, timestamp=world.now, value=9)
    world.now += 2 * MINUTE
    world.model.put_mute_rule(mute(start=0, minutes=10))
    assert world.changes()[0] == ("OK", "ALARM", False, (TOPIC,))


def test_other_alarms_are_not_muted():
    world = World(alarm(), alarm("others"))
    world.model.put_mute_rule(mute(alarms=("others",)))
    world.minute(9)
    assert [(t.alarm.name, t.actions) for t in world.seen] == [
        ("errors", (TOPIC,)),
        ("others", ()),
    ]


@pytest.mark.parametrize(
    ("wait", "muted", "expected"),
    [
        (2, 4, [("WaitPeriod", True, ()), (None, True, ()), (None, False, (TOPIC,))]),
        (4, 2, [("WaitPeriod", True, ()), (None, False, (TOPIC,))]),
    ],
)
def test_suppression_and_muting_both_have_to_end(wait, muted, expected):
    composite = CompositeAlarm(
        name="any",
        rule="ALARM(errors)",
        actions=Actions(alarm=(TOPIC,)),
        suppressor=Suppressor(alarm="quiet", wait=wait * MINUTE, extension=timedelta(0)),
    )
    world = World(alarm(ok=()), alarm("quiet", Metric.of("Shop", "Quiet"), ok=()), composite)
    for _ in range(5):
        world.minute(0)
    world.seen.clear()
    world.model.put_mute_rule(mute(start=5, minutes=muted, alarms=("any",)))
    for _ in range(8):
        world.minute(9)
    mine = [t for t in world.seen if t.alarm.name == "any"]
    assert [(t.current.suppressed_by, t.muted is not None, t.actions) for t in mine] == expected


@pytest.mark.parametrize(
    ("changes", "statuses"),
    [
        ({}, (SCHEDULED, ACTIVE, ACTIVE, EXPIRED)),
        ({"start_date": START + 3 * MINUTE}, (SCHEDULED, SCHEDULED, ACTIVE, EXPIRED)),
        ({"expire_date": START + 3 * MINUTE}, (SCHEDULED, ACTIVE, EXPIRED, EXPIRED)),
        ({"start_date": START, "expire_date": START + 9 * MINUTE}, None),
    ],
)
def test_statuses_over_time(changes, statuses):
    rule = mute(start=2, minutes=2, **changes)
    found = tuple(rule.status(START + n * MINUTE) for n in (1, 2, 3, 4))
    assert found == (statuses or (SCHEDULED, ACTIVE, ACTIVE, EXPIRED))


def test_the_time_zone_moves_the_window():
    rule = mute(timezone="America/New_York", expression="at(2026-07-01T08:30)", duration="P1DT2H")
    assert rule.window == (
        datetime(2026, 7, 1, 12, 30, tzinfo=UTC),
        datetime(2026, 7, 2, 14, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expression": "cron(0 2 * * *)"}, "Recurring mute windows are not modelled"),
        ({"expression": "at(2026-11-22T12:00:00)"}, "is not at"),
        ({"expression": "at(2026-02-30T12:00)"}, "no such time"),
        ({"expression": "rate(1 day)"}, "is not at"),
        ({"expression": "at(9999-12-31T23:00)"}, "beyond the calendar"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"timezone": "../etc/passwd"}, "no time zone"),
        ({"duration": "P"}, "not days, hours and minutes"),
        ({"duration": "PT"}, "not days, hours and minutes"),
        ({"duration": "P1DT"}, "not days, hours and minutes"),
        ({"duration": "PT30S"}, "not days, hours and minutes"),
        ({"duration": "PT0M"}, "not between PT1M and P15D"),
        ({"duration": "P15DT1M"}, "not between PT1M and P15D"),
        ({"duration": "P99999999999999999999D"}, "not between PT1M and P15D"),
        ({"name": ""}, "1 to 255 characters"),
        ({"alarms": tuple(f"a{n}" for n in range(101))}, "at most 100"),
        ({"expire_date": START}, "leave nothing of the window"),
        ({"start_date": START + 5 * MINUTE}, "leave nothing of the window"),
    ],
)
def test_rules_that_are_refused(changes, words):
    with pytest.raises(ModelError, match=words) as refused:
        mute(**({"duration": "PT60M"} if "expression" in changes else {}), **changes)
    assert refused.value.code == "ValidationError"


def test_a_rule_names_alarms_that_exist():
    world = World()
    with pytest.raises(ModelError, match="deploy refers to no alarm: nobody"):
        world.model.put_mute_rule(mute(alarms=("errors", "nobody")))
    assert world.model.mute_rules() == []


@given(
    values=st.lists(st.sampled_from([0, 9]), min_size=12, max_size=12),
    start=st.integers(0, 10),
    minutes=st.integers(1, 10),
)
def test_muting_changes_no_state_and_loses_nothing_that_lasts(values, start, minutes):
    both = {"alarm": (TOPIC,), "ok": (OTHER,)}
    plain, muted = World(alarm(**both)), World(alarm(**both))
    muted.model.put_mute_rule(mute(start, minutes))
    for value in values:
        plain.minute(value)
        muted.minute(value)
    end = start + minutes
    told = {minute_of(t): t.actions for t in plain.seen}
    expected = {m: () if start <= m < end else actions for m, actions in told.items()}
    in_window = [m for m in told if start <= m < end]
    # The end of the window tells of the state that began in it, unless that has just changed.
    if in_window and end not in told and end <= len(values):
        expected[end] = told[in_window[-1]]
    changed = [t for t in muted.seen if t.previous is not t.current]
    late = [t for t in muted.seen if t.previous is t.current]
    assert [t.current for t in changed] == [t.current for t in plain.seen]
    found = {minute_of(t): t.actions for t in changed}
    if late:
        (found[end],) = (t.actions for t in late)
    assert found == expected
    assert all((t.muted is not None) == (start <= minute_of(t) < end) for t in changed)


def minute_of(transition):
    return (transition.current.updated_at - START) // MINUTE
