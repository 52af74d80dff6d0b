"""What people say about a service while it runs, and how much is done about a symptom."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.controls import Approval, Controls, FixingForward, Frozen, Unsafe
from rollback_responder.domain.response import Ages, Mode, Response, Responses, Severity
from tests.builders import NOW

MINUTE = timedelta(minutes=1)
TWO = Controls(
    approvals=(
        Approval(incident_id="inc-1", by="Ann", at=NOW),
        Approval(incident_id="inc-2", by="Bob", at=NOW),
    )
)


@pytest.mark.parametrize(
    ("controls", "incident", "by"),
    [
        (TWO, "inc-1", "Ann"),
        (TWO, "inc-2", "Bob"),
        (TWO, "inc-3", None),
        (Controls(), "inc-1", None),
    ],
)
def test_an_approval_is_of_one_incident(controls, incident, by):
    found = controls.approval(incident, "1")

    assert (found and found.by) == by


def test_an_approval_is_of_one_way_back():
    controls = Controls(
        approvals=(Approval(incident_id="inc-1", by="Ann", at=NOW, to_version="2"),)
    )

    assert controls.approval("inc-1", "2").by == "Ann"
    assert controls.approval("inc-1", "1") is None
    assert controls.approval("inc-1", None) is None


@pytest.mark.parametrize(
    ("minutes", "by"), [(-1, "Ann"), (0, None), (1, None)], ids=["before", "at", "after"]
)
def test_a_fix_is_awaited_until_its_time_is_over(minutes, by):
    fix = FixingForward(by="Ann", until_at=NOW)
    found = Controls(fix_forward=fix).fixing(NOW + minutes * MINUTE)

    assert (found and found.by) == by
    assert Controls().fixing(NOW) is None


@pytest.mark.parametrize(
    ("minutes", "by"), [(-1, "Ann"), (0, None), (1, None)], ids=["before", "at", "after"]
)
def test_a_freeze_is_on_until_its_time_is_over(minutes, by):
    found = Controls(frozen=Frozen(by="Ann", until_at=NOW)).freeze(NOW + minutes * MINUTE)

    assert (found and found.by) == by
    assert Controls().freeze(NOW) is None


ALL = Unsafe(by="Ann", why="a table was dropped")
TWO_ONLY = Unsafe(by="deploy", why="a format changed", version="2")
FOR_NOW = Unsafe(by="Bob", why="a migration runs", until_at=NOW)


@pytest.mark.parametrize(
    ("marks", "version", "minutes", "mark"),
    [
        ((), "2", 0, None),
        ((ALL,), "2", 0, ALL),
        ((ALL,), None, 0, ALL),
        ((TWO_ONLY,), "2", 0, TWO_ONLY),
        ((TWO_ONLY,), "3", 0, None),
        ((TWO_ONLY,), None, 0, None),
        ((FOR_NOW,), "2", -1, FOR_NOW),
        ((FOR_NOW,), "2", 0, None),
        ((FOR_NOW, TWO_ONLY, ALL), "2", 0, TWO_ONLY),
        ((FOR_NOW, TWO_ONLY, ALL), "3", 0, ALL),
    ],
)
def test_a_mark_holds_for_its_version_and_until_its_time_is_over(marks, version, minutes, mark):
    assert Controls(unsafe=marks).mark_on(version, NOW + minutes * MINUTE) is mark


# -- how much is done -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "may_act", "allowed"),
    [
        (Mode.OBSERVE, False, [Mode.OBSERVE]),
        (Mode.APPROVE, True, [Mode.OBSERVE, Mode.APPROVE]),
        (Mode.ENFORCE, True, [Mode.OBSERVE, Mode.APPROVE, Mode.ENFORCE]),
    ],
)
def test_a_mode_allows_those_that_do_no_more(mode, may_act, allowed):
    assert mode.may_act is may_act
    assert [other for other in Mode if mode.allows(other)] == allowed


def test_a_severity_outranks_those_that_follow_it():
    order = [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW]

    for place, severity in enumerate(order):
        assert [each for each in order if severity.outranks(each)] == order[place + 1 :]


@pytest.mark.parametrize(
    ("ages", "minutes", "response"),
    [
        (Ages(roll_back_minutes=10, ask_minutes=20), 0, Response.ROLL_BACK),
        (Ages(roll_back_minutes=10, ask_minutes=20), 10, Response.ROLL_BACK),
        (Ages(roll_back_minutes=10, ask_minutes=20), 10.1, Response.ASK),
        (Ages(roll_back_minutes=10, ask_minutes=20), 20, Response.ASK),
        (Ages(roll_back_minutes=10, ask_minutes=20), 20.1, Response.TELL),
        # Zero is never, not "at once".
        (Ages(roll_back_minutes=0, ask_minutes=20), 0, Response.ASK),
        (Ages(roll_back_minutes=0, ask_minutes=0), 0, Response.TELL),
        (Ages(roll_back_minutes=20, ask_minutes=0), 21, Response.TELL),
    ],
)
def test_the_older_a_change_the_less_is_done(ages, minutes, response):
    assert ages.response(minutes * MINUTE) is response


AGES = st.builds(Ages, roll_back_minutes=st.integers(0, 99), ask_minutes=st.integers(0, 99))
RESPONSES = st.builds(Responses, critical=AGES, high=AGES, medium=AGES, low=AGES)


@given(RESPONSES, st.sampled_from(Severity), st.integers(0, 120))
def test_each_severity_has_its_row_and_nothing_is_done_about_what_nobody_suspects(
    responses, severity, minutes
):
    row = getattr(responses, severity.value)
    ages = responses.change_ages(severity)

    assert responses.of(severity) is row
    assert ages.act == row.roll_back_minutes * MINUTE
    assert ages.suspect == responses.horizon >= ages.act
    if minutes * MINUTE > ages.suspect:
        assert row.response(minutes * MINUTE) is Response.TELL
