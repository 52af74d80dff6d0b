"""The bookkeeping of one look: recovery before any gate, and what answers for what."""

from dataclasses import replace

import pytest

from rollback_responder.domain.case import Case, answered, moved, recovered, stood_down, unclear
from rollback_responder.domain.decision import UNDECIDED, Reason, StandDown
from rollback_responder.domain.incident import State
from rollback_responder.domain.policy import Guardrails, Mode
from rollback_responder.domain.release import Ledger
from rollback_responder.domain.signal import AlarmState
from tests.builders import (
    MINUTE,
    NOW,
    a_ledger,
    a_policy,
    a_release,
    a_rolled_back_incident,
    an_alarm,
    an_assessment,
    an_incident,
    an_observation,
)

(WATCHED,) = a_policy().watched()


def a_case(**changes):
    given = {
        "watched": WATCHED,
        "environment": "prod",
        "mode": Mode.ENFORCE,
        "guardrails": Guardrails(),
        "now": NOW,
        "claim_id": "inc-9",
        "inherited": (),
        "written": a_ledger(),
        "ledger": a_ledger(),
        "incident": None,
        "alarm": an_alarm(),
        "observation": an_observation(),
    }
    return Case(**(given | changes))


MOVED = an_observation("1", revision="r2", marker="inc-5")
UNDECIDED_INCIDENT = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))


def test_where_nothing_was_inherited_nothing_is_recovered():
    assert recovered(a_case(observation=MOVED)) is None


def test_an_unchanged_revision_proves_that_nobody_acted():
    assert recovered(a_case(inherited=("inc-5",))) is None


@pytest.mark.parametrize("inherited", [("inc-5",), ("inc-4", "inc-5")])
def test_the_marker_proves_that_it_acted(inherited):
    entry = recovered(a_case(inherited=inherited, observation=MOVED))

    assert (entry.incident.state, entry.incident.reason) == (State.WATCHING, Reason.FOUND_DONE)
    assert (entry.incident.release.version, entry.incident.to_version) == ("2", "1")
    assert entry.ledger.acted == (a_release().key,)
    assert entry.ledger.bad[0].version == "2"


def test_the_marker_proves_it_even_if_nothing_was_known_before():
    entry = recovered(a_case(inherited=("inc-5",), observation=MOVED, written=Ledger()))

    assert entry.incident.state is State.WATCHING
    assert "from version unknown to 1" in entry.text


@pytest.mark.parametrize(
    "observation",
    [None, an_observation("3", revision="r3"), an_observation("1", revision="r3", marker="inc-1")],
)
def test_anything_else_is_indeterminate_and_counts_as_acted(observation):
    entry = recovered(a_case(inherited=("inc-5",), observation=observation))

    assert entry.incident.state is State.INDETERMINATE
    assert "inc-5" in entry.text
    assert entry.ledger.acted == (a_release().key,)
    assert entry.ledger.last_act_at == NOW


def test_indeterminate_even_if_no_release_was_known():
    entry = recovered(a_case(inherited=("a",), observation=None, written=Ledger(), ledger=Ledger()))

    assert entry.incident.state is State.INDETERMINATE
    assert entry.ledger == Ledger()


def test_an_open_incident_is_carried_on_for_the_alarm_it_is_about():
    pending = replace(UNDECIDED_INCIDENT, alarm_name="its own")
    entry = recovered(a_case(inherited=("inc-5",), observation=MOVED, incident=pending))

    assert (entry.incident.id, entry.incident.alarm_name) == ("inc-1", "its own")


@pytest.mark.parametrize("observation", [MOVED, None, an_observation("3", revision="r3")])
def test_while_a_rollback_is_verified_there_is_nothing_to_settle(observation):
    case = a_case(inherited=("inc-5",), incident=a_rolled_back_incident(), observation=observation)
    assert recovered(case) is None


@pytest.mark.parametrize(("minutes", "gives_up"), [(14, False), (15, True)])
def test_without_a_clear_answer_a_person_is_asked_after_a_while(minutes, gives_up):
    pending = an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR))
    case = a_case(inherited=("a",), incident=pending, now=NOW + minutes * MINUTE)
    entry = recovered(case)

    assert (entry is not None) is gives_up
    if entry:
        assert entry.incident.state is State.STOOD_DOWN
        assert entry.incident.needs_a_person


# -- what answers ---------------------------------------------------------------------------------

CLOSED = an_incident((State.STOOD_DOWN, Reason.COOLDOWN))


@pytest.mark.parametrize(
    ("incident", "alarm", "answers"),
    [
        (None, an_alarm(), False),
        (a_rolled_back_incident(), an_alarm(), True),
        (a_rolled_back_incident(), None, True),
        (UNDECIDED_INCIDENT, an_alarm(), False),
        (CLOSED, an_alarm(), True),
        (CLOSED, an_alarm(transitioned_at=NOW), False),
        (CLOSED, None, False),
        (an_incident((State.STOOD_DOWN, Reason.ALARM_GONE)), None, True),
        (an_incident((State.STOOD_DOWN, Reason.ALARM_GONE), alarm_name="x"), None, False),
    ],
)
def test_which_incident_answers(incident, alarm, answers):
    entry = answered(a_case(incident=incident, alarm=alarm))

    assert (entry is not None) is answers
    assert entry is None or entry.incident is incident


# -- standing down --------------------------------------------------------------------------------


def standing_down(reason, **changes):
    decision = StandDown(reason=reason, text="so")
    return stood_down(a_case(**changes), an_assessment(), decision)


@pytest.mark.parametrize("reason", Reason)
def test_a_new_incident_is_open_only_while_it_may_go_either_way(reason):
    entry = standing_down(reason)
    if reason is Reason.ALARM_NOT_FIRING:
        assert entry.incident is None
        return
    expected = State.UNDECIDED if reason in UNDECIDED else State.STOOD_DOWN
    assert entry.incident.state is expected


@pytest.mark.parametrize(
    ("minutes", "state"), [(14, State.UNDECIDED), (15, State.STOOD_DOWN), (99, State.STOOD_DOWN)]
)
def test_an_undecided_incident_is_closed_in_time(minutes, state):
    entry = standing_down(
        Reason.INCONCLUSIVE, incident=UNDECIDED_INCIDENT, now=NOW + minutes * MINUTE
    )
    assert entry.incident.state is state


def test_the_same_reason_again_is_no_new_step_but_new_numbers():
    entry = standing_down(Reason.INCONCLUSIVE, incident=UNDECIDED_INCIDENT)

    assert entry.incident.steps == UNDECIDED_INCIDENT.steps
    assert entry.incident.assessment == an_assessment()


def test_another_reason_is_a_new_step():
    entry = standing_down(Reason.METRIC_HEALTHY, incident=UNDECIDED_INCIDENT)

    assert [s.reason for s in entry.incident.steps] == [
        Reason.INCONCLUSIVE,
        Reason.METRIC_HEALTHY,
    ]


def test_an_alarm_that_fell_silent_closes_its_incident_with_the_onset_it_had():
    quiet = an_alarm(AlarmState.OK, transitioned_at=NOW)
    entry = standing_down(Reason.ALARM_NOT_FIRING, incident=UNDECIDED_INCIDENT, alarm=quiet)

    assert entry.incident.state is State.STOOD_DOWN
    assert entry.incident.alarm_since_at == UNDECIDED_INCIDENT.alarm_since_at


@pytest.mark.parametrize(("minutes", "touched"), [(14, False), (15, True)])
def test_an_incident_of_another_alarm_is_left_alone_while_it_is_in_time(minutes, touched):
    other = replace(UNDECIDED_INCIDENT, alarm_name="other")
    entry = standing_down(Reason.COOLDOWN, incident=other, now=NOW + minutes * MINUTE)

    assert (entry.incident is not other) is touched
    if touched:
        assert entry.incident.alarm_name == WATCHED.alarm_name
        assert not entry.incident.is_open


def test_an_unclear_move_is_open_and_names_its_reason():
    entry = unclear(a_case(), an_assessment(), "ReadTimeoutError")

    assert (entry.incident.state, entry.incident.reason) == (
        State.UNDECIDED,
        Reason.ACTION_UNCLEAR,
    )
    assert entry.incident.id == "inc-9"


def test_a_move_is_written_with_where_from_and_where_to():
    entry = moved(a_case(), an_assessment(), Reason.METRIC_BREACHING, MOVED, NOW)

    assert entry.text == "moved shop:live from version 2 to 1"
    assert entry.ledger.current.version == "1"
    assert entry.ledger.revision == "r2"
    assert entry.ledger.last_act_at == entry.incident.acted_at == NOW
