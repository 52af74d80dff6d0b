"""Orders: what is taken, what is refused in words, and that saying it twice changes nothing."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.controls import (
    Approval,
    Controls,
    FixingForward,
    Frozen,
    Held,
    UndoAsked,
)
from rollback_responder.domain.errors import OrderRefused
from rollback_responder.domain.incident import State
from rollback_responder.domain.leg import How, name_of
from rollback_responder.domain.order import (
    LONGEST_FREEZE,
    LONGEST_MEMORY,
    Approve,
    FixForward,
    Freeze,
    Hold,
    NoDrill,
    Undo,
    taken,
)
from rollback_responder.domain.reason import Reason
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_leg,
    a_release,
    a_rolled_back_incident,
    an_incident,
)

HOUR = timedelta(hours=1)
ASKING = an_incident(
    (State.ASKING, Reason.APPROVAL_NEEDED),
    asks_until_at=NOW + HOUR,
    asks_about="x",
    to_version="1",
)
RELEASE = name_of(TARGET, a_release().key)
UNDECIDED = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))
MOVED = a_rolled_back_incident(release=a_release(whole_since_at=NOW))
ENDED = an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE))
APPROVE = Approve(service="shop", incident_id="inc-1", by="bob")
HOLD = Hold(service="shop", incident_id="inc-1", by="bob")
UNDO = Undo(service="shop", incident_id="inc-1", by="bob")
FORWARD = FixForward(service="shop", until_at=NOW + HOUR, by="bob")


@pytest.mark.parametrize(
    ("order", "incident", "member", "kept", "text"),
    [
        (
            APPROVE,
            ASKING,
            "approvals",
            Approval(incident_id="inc-1", by="bob", at=NOW, to_version="1"),
            "bob approved the rollback",
        ),
        (
            HOLD,
            ASKING,
            "holds",
            Held(incident_id="inc-1", changes=(RELEASE,), by="bob", at=NOW),
            "bob holds it: from the next look on nothing of it is rolled back",
        ),
        (
            HOLD,
            UNDECIDED,
            "holds",
            Held(incident_id="inc-1", changes=(RELEASE,), by="bob", at=NOW),
            "bob holds it: from the next look on nothing of it is rolled back",
        ),
        (
            UNDO,
            MOVED,
            "undos",
            UndoAsked(incident_id="inc-1", by="bob", at=NOW),
            "bob wants the rollback undone",
        ),
    ],
)
def test_an_order_is_kept_with_who_gave_it(order, incident, member, kept, text):
    found = taken(order, Controls(), incident, NOW)

    assert found.text == text
    assert found.controls == Controls(**{member: (kept,)})


def test_somebody_may_fix_it_forward_whether_or_not_there_is_an_incident():
    fix = FixingForward(by="bob", until_at=NOW + HOUR)

    for incident in (None, ASKING, ENDED):
        found = taken(FORWARD, Controls(), incident, NOW)
        assert found.controls == Controls(fix_forward=fix)
        assert found.text == "bob fixes it forward, until 22 Nov 05:00:00 UTC"


def test_fixing_forward_is_ended_by_anybody_and_once():
    begun = taken(FORWARD, Controls(), None, NOW).controls
    end = replace(FORWARD, until_at=None, by="eve")
    ended = taken(end, begun, ASKING, NOW + MINUTE)
    again = taken(end, ended.controls, ASKING, NOW + MINUTE)

    assert ended.controls == Controls()
    assert ended.text == "eve ended the fixing forward of shop: it is judged as before"
    assert (again.controls, again.text) == (Controls(), "nobody fixes shop forward")


def test_of_the_latest_incident_it_may_be_fixed_forward():
    assert taken(
        replace(FORWARD, incident_id="inc-1"), Controls(), ASKING, NOW
    ).controls.fix_forward


def test_whoever_fixes_it_for_longer_is_named():
    longer = Controls(fix_forward=FixingForward(by="eve", until_at=NOW + 2 * HOUR))

    assert taken(FORWARD, longer, None, NOW).text == (
        "eve fixes it forward already, until 22 Nov 06:00:00 UTC"
    )


def test_what_has_ended_by_itself_is_not_ended_again():
    begun = taken(FORWARD, Controls(), None, NOW).controls
    late = taken(replace(FORWARD, until_at=None), begun, None, NOW + HOUR)

    assert (late.controls, late.text) == (begun, "nobody fixes shop forward")


@pytest.mark.parametrize(
    ("order", "incident"), [(APPROVE, ASKING), (HOLD, ASKING), (UNDO, MOVED), (FORWARD, None)]
)
def test_what_was_said_already_is_not_said_again(order, incident):
    first = taken(order, Controls(), incident, NOW)
    again = taken(replace(order, by="eve"), first.controls, incident, NOW + MINUTE)

    assert again.controls == first.controls
    assert again.text.startswith("bob ")
    assert "already" in again.text


LATE = ASKING.asks_until_at
REFUSED = [
    (APPROVE, None, NOW, "is not the latest incident"),
    (APPROVE, replace(ASKING, id="inc-2"), NOW, "is not the latest incident"),
    (APPROVE, UNDECIDED, NOW, "^it does not ask for anything any more$"),
    (APPROVE, ENDED, NOW, "does not ask for anything"),
    (APPROVE, replace(ASKING, asks_until_at=None), NOW, "does not ask for anything"),
    (APPROVE, ASKING, LATE, "could be approved until 05:00:00 UTC"),
    (HOLD, ENDED, NOW, "^nothing is pending any more that could be held$"),
    (HOLD, MOVED, NOW, "nothing is pending"),
    (HOLD, replace(UNDECIDED, change=None, release=None), NOW, "nothing is pending"),
    (replace(FORWARD, incident_id="inc-9"), ASKING, NOW, "is not the latest incident"),
    (UNDO, replace(MOVED, release=replace(MOVED.release, whole_since_at=None)), NOW, "no move"),
    (UNDO, ASKING, NOW, "^there is no move of an alias here that could be undone$"),
    (UNDO, replace(MOVED, acted_at=None), NOW, "no move of an alias"),
    (UNDO, replace(MOVED, legs=(a_leg(how=How.STOP),)), NOW, "no move of an alias"),
    (UNDO, MOVED, NOW + 24 * HOUR, "^it was rolled back more than a day ago: deploy a new"),
    (UNDO, MOVED, NOW + 24 * HOUR, "a new version$"),
    (FORWARD, None, NOW + HOUR, "must end within 24 hours, and after now"),
    (replace(FORWARD, until_at=NOW + 25 * HOUR), None, NOW, "must end within 24 hours"),
]


@pytest.mark.parametrize(("order", "incident", "now", "words"), REFUSED)
def test_what_cannot_be_done_is_refused_in_words(order, incident, now, words):
    with pytest.raises(OrderRefused, match=words):
        taken(order, Controls(), incident, now)


def test_whoever_holds_what_another_approved_is_told_so():
    approved = taken(APPROVE, Controls(), ASKING, NOW).controls

    with pytest.raises(OrderRefused, match="bob has approved it already"):
        taken(HOLD, approved, ASKING, NOW)


def test_whoever_approves_what_another_held_is_told_so():
    held = taken(HOLD, Controls(), ASKING, NOW).controls

    with pytest.raises(OrderRefused, match="bob holds it already"):
        taken(APPROVE, held, ASKING, NOW)


def test_a_hold_is_about_every_part_and_the_release_that_it_brought():
    parts = (a_leg(GROUP, change="d-1"), a_leg(STACK, change="u-1"))
    held = taken(HOLD, Controls(), replace(ASKING, legs=parts, change="d-1"), NOW).controls

    for target, change in ((GROUP, "d-1"), (STACK, "u-1"), (TARGET, a_release().key)):
        assert held.held([name_of(target, change)])
    assert not held.held([name_of(GROUP, "d-2")])


def test_a_longer_time_to_fix_it_forward_replaces_a_shorter_one():
    first = taken(FORWARD, Controls(), None, NOW).controls
    longer = FixForward(service="shop", until_at=NOW + 2 * HOUR, by="eve")

    assert taken(longer, first, None, NOW).controls.fix_forward.by == "eve"


FROZEN = Controls(frozen=Frozen(by="bob", until_at=NOW + HOUR))
FREEZES = [
    (Controls(), NOW + HOUR, FROZEN, "bob froze shop until 22 Nov 05:00:00 UTC: a rollback is"),
    (FROZEN, NOW + HOUR, FROZEN, "bob froze it already, until 22 Nov 05:00:00 UTC"),
    (FROZEN, None, Controls(), "bob ended the freeze of shop"),
    (Controls(), None, Controls(), "shop is not frozen by anybody"),
]


@pytest.mark.parametrize(("before", "until_at", "after", "text"), FREEZES)
def test_a_freeze_begins_and_ends_by_a_word(before, until_at, after, text):
    found = taken(Freeze(service="shop", until_at=until_at, by="bob"), before, None, NOW)

    assert found.controls == after
    assert found.text.startswith(text)


@pytest.mark.parametrize("until_at", [NOW, NOW + LONGEST_FREEZE + MINUTE])
def test_a_freeze_has_an_end_that_can_be_seen(until_at):
    with pytest.raises(OrderRefused, match="within 31 days"):
        taken(Freeze(service="shop", until_at=until_at, by="bob"), Controls(), None, NOW)


EARLIER_YES = Approval(incident_id="inc-0", by="eve", at=NOW)
EARLIER_UNDO = UndoAsked(incident_id="inc-0", by="eve", at=NOW)


def test_the_last_that_was_said_comes_before_what_was_said_earlier():
    yes = taken(APPROVE, Controls(approvals=(EARLIER_YES,)), ASKING, NOW).controls
    undo = taken(UNDO, Controls(undos=(EARLIER_UNDO,)), MOVED, NOW).controls

    assert [one.incident_id for one in yes.approvals] == ["inc-1", "inc-0"]
    assert [one.incident_id for one in undo.undos] == ["inc-1", "inc-0"]


@pytest.mark.parametrize(
    ("order", "longest"),
    [
        (FORWARD, timedelta(hours=24)),
        (Freeze(service="shop", until_at=None, by="bob"), timedelta(days=31)),
    ],
)
def test_a_time_may_be_as_long_as_is_allowed_and_no_longer(order, longest):
    assert taken(replace(order, until_at=NOW + longest), Controls(), None, NOW)
    for until_at in (NOW, NOW + longest + timedelta(seconds=1)):
        with pytest.raises(OrderRefused):
            taken(replace(order, until_at=until_at), Controls(), None, NOW)


@given(st.integers(1, 50))
def test_the_row_does_not_grow_for_ever(times):
    controls = Controls()
    for number in range(times):
        release = a_release(f"{number}")
        named = replace(ASKING, id=f"inc-{number}", change=release.key, release=release)
        controls = taken(replace(HOLD, incident_id=named.id), controls, named, NOW).controls
        assert controls.held([name_of(TARGET, release.key)])

    assert len(controls.holds) == min(times, LONGEST_MEMORY)


def test_a_yes_is_refused_while_somebody_fixes_it_forward():
    fixing = Controls(fix_forward=FixingForward(by="eve", until_at=NOW + HOUR))

    with pytest.raises(OrderRefused, match="until 22 Nov 05:00:00 UTC: end that first"):
        taken(APPROVE, fixing, ASKING, NOW)


def test_a_drill_that_is_held_back_is_told_once_a_month():
    order = NoDrill(service="shop", why="frozen", by="the calendar")
    first = taken(order, Controls(), None, NOW)
    again = taken(order, first.controls, None, NOW + HOUR)

    assert first.controls.no_drill_at == NOW
    assert first.text == "no drill of shop this month: frozen"
    assert again.controls == first.controls
    assert taken(order, first.controls, None, NOW + 40 * 24 * HOUR).controls != first.controls
