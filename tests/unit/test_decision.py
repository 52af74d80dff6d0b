"""Deciding: the first gate that objects is the reason, and only a clean slate rolls back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment, Verdict
from rollback_responder.domain.decision import (
    Reason,
    RollBack,
    Situation,
    StandDown,
    decide,
)
from rollback_responder.domain.policy import Guardrails, Mode
from rollback_responder.domain.release import Bad, Ledger, Origin, Release, way_back
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate, WhenUnmeasurable
from tests.builders import (
    MINUTE,
    NOW,
    a_good,
    a_ledger,
    a_release,
    an_alarm,
    an_assessment,
    an_observation,
    evidence,
)

ADOPTED = AdoptedAlarm(name="legacy")
TRUSTED = AdoptedAlarm(name="legacy", when_unmeasurable=WhenUnmeasurable.TRUST_ALARM)


def a_situation(**changes):
    given = {
        "now": NOW,
        "alarm": an_alarm(),
        "observation": an_observation(),
        "release": a_release(),
        "ledger": a_ledger(),
        "trigger": ErrorRate(threshold_percent=5),
        "assessment": an_assessment(),
        "mode": Mode.ENFORCE,
        "guardrails": Guardrails(),
    }
    return Situation(**(given | changes))


def test_a_clean_slate_rolls_back_to_the_proven_version_at_the_revision_that_was_seen():
    assert decide(a_situation()) == RollBack(
        reason=Reason.METRIC_BREACHING, from_version="2", to_version="1", revision="r1"
    )


# In the order in which they are asked. Each row alone is the reason; with all later ones as well it
# still is.
OBJECTIONS = [
    (Reason.ALARM_NOT_FIRING, {"alarm": {"state": AlarmState.OK}}),
    (Reason.ALARM_SUPPRESSED, {"alarm": {"suppressed_by": "Alarm"}}),
    (Reason.ALARM_DISABLED, {"alarm": {"actions_enabled": False}}),
    (Reason.ALARM_UNSOUND, {"alarm": {"unsound": "PARTIAL_DATA"}}),
    (Reason.ALIAS_ON_LATEST, {"release": {"version": "$LATEST"}}),
    (Reason.NO_RECENT_CHANGE, {"release": {"since_at": NOW - 61 * MINUTE}}),
    (Reason.CHANGE_IS_ROLLBACK, {"release": {"origin": Origin.ROLLED_BACK}}),
    (Reason.ALARM_BEFORE_CHANGE, {"alarm": {"transitioned_at": NOW - 8 * MINUTE}}),
    (Reason.INCONCLUSIVE, {"verdict": Verdict.INCONCLUSIVE}),
    (Reason.ALREADY_ACTED, {"ledger": {"acted": (a_release().key,)}}),
    (Reason.COOLDOWN, {"ledger": {"last_act_at": NOW - 29 * MINUTE}}),
    (Reason.NO_PROVEN_RELEASE, {"ledger": {"good": ()}}),
    (Reason.OBSERVE_MODE, {"mode": Mode.OBSERVE}),
]


def objecting(*objections):
    alarm, release, ledger, verdict, mode = {}, {}, {}, Verdict.BREACHING, Mode.ENFORCE
    for objection in objections:
        alarm |= objection.get("alarm", {})
        release |= objection.get("release", {})
        ledger |= objection.get("ledger", {})
        verdict = objection.get("verdict", verdict)
        mode = objection.get("mode", mode)
    suspect = a_release(**release)
    return a_situation(
        alarm=an_alarm(**({"state": AlarmState.ALARM} | alarm)),
        release=suspect,
        observation=an_observation(primary=suspect.version),
        ledger=a_ledger(**({"current": suspect} | ledger)),
        assessment=an_assessment(verdict),
        mode=mode,
    )


@pytest.mark.parametrize("number", range(len(OBJECTIONS)), ids=[r.value for r, _ in OBJECTIONS])
def test_each_gate_objects_by_itself(number):
    reason, objection = OBJECTIONS[number]

    assert decide(objecting(objection)).reason is reason


@pytest.mark.parametrize("number", range(len(OBJECTIONS)), ids=[r.value for r, _ in OBJECTIONS])
def test_each_gate_is_heard_before_all_that_come_later(number):
    reason, _ = OBJECTIONS[number]
    later = [objection for _, objection in OBJECTIONS[number:]]

    assert decide(objecting(*reversed(later))).reason is reason


@pytest.mark.parametrize("state", [AlarmState.OK, AlarmState.INSUFFICIENT_DATA])
def test_only_alarm_is_alarm(state):
    assert decide(a_situation(alarm=an_alarm(state))).reason is Reason.ALARM_NOT_FIRING


def test_the_first_release_ever_seen_is_no_recent_change():
    release = a_release(origin=Origin.FIRST_SEEN)

    assert decide(a_situation(release=release)).reason is Reason.NO_RECENT_CHANGE


@pytest.mark.parametrize(
    ("age", "rolls"),
    [(60 * MINUTE, True), (60 * MINUTE + timedelta(seconds=1), False)],
)
def test_the_age_of_a_change_is_inclusive(age, rolls):
    release = a_release(since_at=NOW - age)

    assert isinstance(decide(a_situation(release=release)), RollBack) is rolls


@pytest.mark.parametrize(("late", "rolls"), [(0, True), (1, False)])
def test_an_alarm_a_little_before_the_release_was_noticed_may_be_its_doing(late, rolls):
    release = a_release()
    fired_at = release.since_at - CHANGE_TOLERANCE - timedelta(seconds=late)
    decision = decide(a_situation(release=release, alarm=an_alarm(transitioned_at=fired_at)))

    assert isinstance(decision, RollBack) is rolls


@pytest.mark.parametrize(("minutes", "rolls"), [(29, False), (30, True), (31, True)])
def test_the_cooldown_ends_when_it_says(minutes, rolls):
    ledger = a_ledger(last_act_at=NOW - minutes * MINUTE)

    assert isinstance(decide(a_situation(ledger=ledger)), RollBack) is rolls


def test_observe_says_where_it_would_have_gone():
    decision = decide(a_situation(mode=Mode.OBSERVE))

    assert decision.would_move_to == "1"


@pytest.mark.parametrize(
    ("verdict", "trigger", "reason"),
    [
        (Verdict.HEALTHY, ErrorRate(threshold_percent=5), Reason.METRIC_HEALTHY),
        (Verdict.INCONCLUSIVE, ErrorRate(threshold_percent=5), Reason.INCONCLUSIVE),
        (Verdict.UNMEASURABLE, ErrorRate(threshold_percent=5), Reason.UNMEASURABLE),
        (Verdict.UNMEASURABLE, ADOPTED, Reason.ALARM_NOT_TRUSTED),
        (Verdict.UNMEASURABLE, TRUSTED, Reason.ALARM_TRUSTED),
        (Verdict.BREACHING, ErrorRate(threshold_percent=5), Reason.METRIC_BREACHING),
    ],
)
def test_what_the_evidence_leads_to(verdict, trigger, reason):
    situation = a_situation(assessment=an_assessment(verdict), trigger=trigger)

    assert decide(situation).reason is reason


@pytest.mark.parametrize(
    ("previous", "reason"),
    [
        (evidence(Verdict.BREACHING), Reason.BOTH_VERSIONS_FAIL),
        (evidence(Verdict.INCONCLUSIVE, value=50.0, threshold=5.0), Reason.INCONCLUSIVE),
        (evidence(Verdict.INCONCLUSIVE, value=1.0, threshold=5.0), Reason.METRIC_BREACHING),
        (evidence(Verdict.INCONCLUSIVE), Reason.METRIC_BREACHING),
        (evidence(Verdict.HEALTHY), Reason.METRIC_BREACHING),
        (None, Reason.METRIC_BREACHING),
    ],
)
def test_a_version_before_that_fails_as_well_saves_the_new_one(previous, reason):
    assert decide(a_situation(assessment=an_assessment(previous=previous))).reason is reason


# -- whatever the situation -----------------------------------------------------------------------

VERSIONS = st.sampled_from(["1", "2", "3", "4", "10", "$LATEST"])
INSTANTS = st.integers(-120, 5).map(lambda minute: NOW + minute * MINUTE)
HASHES = st.sampled_from([None, "a", "b", "c"])
GOODS = st.lists(
    st.builds(a_good, VERSIONS, proven_at=INSTANTS, code_sha256=HASHES),
    max_size=4,
    unique_by=lambda good: good.version,
)
BADS = st.lists(
    st.builds(Bad, version=VERSIONS, at=INSTANTS, incident_id=st.just("i"), code_sha256=HASHES),
    max_size=3,
)
RELEASES = st.builds(
    Release, version=VERSIONS, since_at=INSTANTS, origin=st.sampled_from(Origin), code_sha256=HASHES
)
OBSERVATIONS = st.builds(an_observation, VERSIONS, st.none() | VERSIONS)


@st.composite
def ledgers(draw):
    release = draw(RELEASES)
    return Ledger(
        current=release,
        revision="r1",
        good=tuple(draw(GOODS)),
        bad=tuple(draw(BADS)),
        acted=draw(st.sampled_from([(), (release.key,), ("other@then",)])),
        last_act_at=draw(st.none() | INSTANTS),
    )


@st.composite
def situations(draw):
    ledger = draw(ledgers())
    verdicts = st.sampled_from(Verdict)
    return Situation(
        now=NOW,
        alarm=draw(
            st.builds(
                AlarmReading,
                state=st.sampled_from(AlarmState),
                transitioned_at=INSTANTS,
                actions_enabled=st.booleans(),
                suppressed_by=st.sampled_from([None, "Alarm"]),
                unsound=st.sampled_from([None, "PARTIAL_DATA"]),
            )
        ),
        observation=draw(OBSERVATIONS),
        release=ledger.current,
        ledger=ledger,
        trigger=draw(st.sampled_from([ErrorRate(threshold_percent=5), ADOPTED, TRUSTED])),
        assessment=Assessment(
            new=evidence(draw(verdicts)), previous=draw(st.none() | verdicts.map(evidence))
        ),
        mode=draw(st.sampled_from(Mode)),
        guardrails=Guardrails(),
    )


def forced(situation):
    """As near to a rollback as it can be: so that the property is asked of real rollbacks too."""
    release = replace(situation.release, version="4", since_at=NOW - MINUTE, origin=Origin.DEPLOYED)
    return replace(
        situation,
        alarm=an_alarm(),
        release=release,
        observation=an_observation("4"),
        ledger=replace(situation.ledger, current=release),
        assessment=an_assessment(),
        mode=Mode.ENFORCE,
        trigger=ErrorRate(threshold_percent=5),
    )


@given(situations(), st.booleans())
def test_a_rollback_has_no_objection_whatever_the_situation(situation, force):
    situation = forced(situation) if force else situation
    decision = decide(situation)
    if isinstance(decision, StandDown):
        return
    new, ledger, alarm = situation.assessment.new, situation.ledger, situation.alarm

    assert alarm.state is AlarmState.ALARM
    assert not alarm.suppressed_by
    assert alarm.actions_enabled
    assert new.verdict is Verdict.BREACHING or (
        new.verdict is Verdict.UNMEASURABLE and situation.trigger == TRUSTED
    )
    assert situation.mode is Mode.ENFORCE
    assert situation.release.key not in ledger.acted
    assert not ledger.last_act_at or NOW - ledger.last_act_at >= 30 * MINUTE
    assert situation.release.origin is Origin.DEPLOYED
    assert decision.to_version in {good.version for good in ledger.good}
    assert decision.revision == situation.observation.revision


@given(ledgers(), OBSERVATIONS)
def test_the_way_back_is_proven_older_and_never_bad(ledger, observation):
    version = way_back(ledger, observation)
    if version is None:
        return
    entry = next(good for good in ledger.good if good.version == version)

    assert int(version) < int(observation.suspect)
    assert version not in {bad.version for bad in ledger.bad}
    assert entry.code_sha256 is None or entry.code_sha256 not in {
        bad.code_sha256 for bad in ledger.bad
    }
