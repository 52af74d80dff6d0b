"""Deciding: the first gate that objects is the reason, and only a clean slate rolls back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain import decision as decision_module
from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment, Baseline
from rollback_responder.domain.controls import (
    Approval,
    Controls,
    FixingForward,
    Frozen,
    Held,
    Unsafe,
)
from rollback_responder.domain.decision import decide
from rollback_responder.domain.freeze import OneFreeze
from rollback_responder.domain.gates import GATES, change_objects, guardrails_object
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How
from rollback_responder.domain.policy import Guardrails
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Bad, Ledger, Origin, Release, way_back
from rollback_responder.domain.response import Ages, Mode, Responses, Severity
from rollback_responder.domain.signal import AlarmReading, AlarmState
from rollback_responder.domain.situation import (
    Adopt,
    Ask,
    RollBack,
    Situation,
    StandDown,
    Surroundings,
    Switches,
)
from rollback_responder.domain.switches import SWITCHES, denied_objects
from rollback_responder.domain.trial import NoTrial, Returning, Trial
from rollback_responder.domain.trigger import AdoptedAlarm, ErrorRate, WhenUnmeasurable
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_good,
    a_ledger,
    a_leg,
    a_moved_leg,
    a_release,
    a_trial,
    an_alarm,
    an_assessment,
    an_observation,
    evidence,
)

ADOPTED = AdoptedAlarm(name="legacy")
TRUSTED = AdoptedAlarm(name="legacy", when_unmeasurable=WhenUnmeasurable.TRUST_ALARM)


LATER = NOW + MINUTE
FREEZE = OneFreeze(name="the sale", from_at=NOW - MINUTE, until_at=LATER)
NO_TRIAL = NoTrial(reason=Reason.CHANGE_BROKEN, text="so")
PAUSED, SPENT = Switches(paused_by="ann"), Switches(in_budget=False)


def trial_of(release):
    """The release behind the alias on trial, as `on_trial` makes it."""
    leg = a_moved_leg(change=release.key, title=f"version {release.version}")
    return a_trial(leg, change=release.key, since_at=release.since_at, exact=False)


def a_situation(**changes):
    """About the alias, unless a trial is given."""
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
        "responses": Responses(),
        "switches": Switches(),
    } | changes
    given = {"ledgers": {TARGET.target_id: given["ledger"]}} | given
    return Situation(**({"on_trial": trial_of(given["release"] or a_release())} | given))


def test_a_clean_slate_rolls_back_to_the_proven_version():
    assert decide(a_situation()) == RollBack(
        reason=Reason.METRIC_BREACHING,
        trial=trial_of(a_release()),
        to_version="1",
    )


HELD = Held(incident_id="inc-1", changes=trial_of(a_release()).changes, by="bob", at=NOW)
YES = Approval(incident_id="inc-1", by="bob", at=NOW)
# In the order in which they are asked. Each row alone is the reason; with all later ones as well it
# still is.
OBJECTIONS = [
    (Reason.ALARM_NOT_FIRING, {"alarm": {"state": AlarmState.OK}}),
    (Reason.ALARM_SUPPRESSED, {"alarm": {"suppressed_by": "Alarm"}}),
    (Reason.ALARM_DISABLED, {"alarm": {"actions_enabled": False}}),
    (Reason.ALARM_MUTED, {"alarm": {"muted_by": "maintenance"}}),
    (Reason.ALARM_UNSOUND, {"alarm": {"unsound": "PARTIAL_DATA"}}),
    (Reason.CHANGE_BROKEN, {"trial": NO_TRIAL}),
    (Reason.ALIAS_ON_LATEST, {"release": {"version": "$LATEST"}}),
    (Reason.NO_RECENT_CHANGE, {"release": {"since_at": NOW - 1441 * MINUTE}}),
    (Reason.CHANGE_IS_ROLLBACK, {"release": {"origin": Origin.ROLLED_BACK}}),
    (Reason.PUT_BACK, {"release": {"origin": Origin.PUT_BACK}}),
    (Reason.ALARM_BEFORE_CHANGE, {"alarm": {"transitioned_at": NOW - 8 * MINUTE}}),
    (Reason.DEPENDENCY_FAILING, {"around": {"dependencies": {"db": an_alarm()}}}),
    (Reason.SIBLINGS_FAIL, {"around": {"failing_siblings": ("cart",)}}),
    (Reason.INCONCLUSIVE, {"verdict": Verdict.INCONCLUSIVE}),
    (Reason.ALREADY_ACTED, {"ledger": {"acted": (a_release().key,)}}),
    (Reason.COOLDOWN, {"ledger": {"acted_at": (NOW - 29 * MINUTE,)}}),
    (
        Reason.SERVICE_BUDGET_SPENT,
        {"ledger": {"acted_at": tuple(NOW - hours * 60 * MINUTE for hours in (1, 2, 23))}},
    ),
    (Reason.NO_PROVEN_RELEASE, {"ledger": {"good": ()}}),
    (Reason.ROLLBACK_UNSAFE, {"controls": {"unsafe": (Unsafe(by="ci", why="migrated"),)}}),
    (Reason.HELD, {"controls": {"holds": (HELD,)}}),
    (Reason.FIX_FORWARD, {"controls": {"fix_forward": FixingForward(by="ann", until_at=LATER)}}),
    (Reason.OBSERVE_MODE, {"mode": Mode.OBSERVE}),
    (Reason.SEVERITY_TELLS, {"severity": Severity.LOW}),
    (Reason.PAUSED, {"switches": {"paused_by": "ann"}}),
    (Reason.BUDGET_SPENT, {"switches": {"in_budget": False}}),
    # What asks is heard after all that forbids.
    (Reason.RELEASE_PROVED, {"release": {"proven_at": NOW - MINUTE}}),
    (
        Reason.BEGAN_TOO_LATE,
        {"release": {"whole_since_at": NOW - 9 * MINUTE}, "bake_minutes": 1},
    ),
    (Reason.SEVERITY_ASKS, {"severity": Severity.MEDIUM}),
    (Reason.APPROVAL_NEEDED, {"mode": Mode.APPROVE}),
    (Reason.FROZEN, {"freezes": (FREEZE,)}),
    (Reason.FROZEN, {"controls": {"frozen": Frozen(by="ann", until_at=LATER)}}),
]
ASKING = {
    Reason.RELEASE_PROVED,
    Reason.BEGAN_TOO_LATE,
    Reason.SEVERITY_ASKS,
    Reason.APPROVAL_NEEDED,
    Reason.FROZEN,
}


def test_what_has_brought_an_older_version_is_not_stopped():
    """A person's stack update that goes back, when the alarm flaps under it."""
    began_at = NOW - 3 * MINUTE
    back = a_release("1", origin=Origin.ROLLED_BACK, since_at=began_at + MINUTE)
    stale = replace(back, since_at=began_at - CHANGE_TOLERANCE - MINUTE)
    trial = a_trial(a_leg(), since_at=began_at)

    refused = decide(a_situation(release=back, on_trial=trial))
    assert refused.reason is Reason.CHANGE_IS_ROLLBACK
    assert isinstance(decide(a_situation(release=stale, on_trial=trial)), RollBack)


def objecting(*objections):
    alarm, release, ledger, switches, around, controls = {}, {}, {}, {}, {}, {}
    verdict, mode, trial, freezes = Verdict.BREACHING, Mode.ENFORCE, None, ()
    severity, bake_minutes = Severity.HIGH, 10
    for objection in objections:
        alarm |= objection.get("alarm", {})
        release |= objection.get("release", {})
        ledger |= objection.get("ledger", {})
        switches |= objection.get("switches", {})
        around |= objection.get("around", {})
        controls |= objection.get("controls", {})
        freezes = objection.get("freezes", freezes)
        severity = objection.get("severity", severity)
        bake_minutes = objection.get("bake_minutes", bake_minutes)
        trial = objection.get("trial", trial)
        verdict = objection.get("verdict", verdict)
        mode = objection.get("mode", mode)
    suspect = a_release(**release)
    return a_situation(
        alarm=an_alarm(**({"state": AlarmState.ALARM} | alarm)),
        release=suspect,
        observation=an_observation(primary=suspect.version),
        ledger=a_ledger(**({"current": suspect} | ledger)),
        assessment=an_assessment(verdict),
        trigger=ErrorRate(threshold_percent=5, severity=severity),
        mode=mode,
        guardrails=Guardrails(bake_minutes=bake_minutes),
        switches=Switches(**switches),
        surroundings=Surroundings(**around),
        controls=Controls(**controls),
        freezes=freezes,
        on_trial=trial or trial_of(suspect),
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


def test_the_table_has_a_row_for_every_gate_and_every_switch():
    """A gate that no row trips could be lost without a word."""
    for gate in GATES:
        assert any(gate(objecting(objection)) for _, objection in OBJECTIONS), gate.__name__
    would = decide(a_situation())
    # `denied_objects` is about what is stopped, and has a test of its own.
    for switch in set(SWITCHES) - {denied_objects}:
        assert any(switch(objecting(row), would) for _, row in OBJECTIONS), switch.__name__


@pytest.mark.parametrize(("reason", "objection"), OBJECTIONS, ids=[r.value for r, _ in OBJECTIONS])
def test_an_approval_answers_what_asks_and_nothing_else(reason, objection):
    approved = decide(replace(objecting(objection), approval=YES))

    if reason in ASKING:
        assert isinstance(decide(objecting(objection)), Ask)
        assert isinstance(approved, RollBack)
        assert approved.reason is Reason.APPROVED
    else:
        assert approved.reason is reason


@pytest.mark.parametrize("state", [AlarmState.OK, AlarmState.INSUFFICIENT_DATA])
def test_only_alarm_is_alarm(state):
    assert decide(a_situation(alarm=an_alarm(state))).reason is Reason.ALARM_NOT_FIRING


def test_the_first_release_ever_seen_is_no_recent_change():
    release = a_release(origin=Origin.FIRST_SEEN)

    assert decide(a_situation(release=release)).reason is Reason.NO_RECENT_CHANGE


@pytest.mark.parametrize(
    ("minutes", "said"), [(90, "90 min"), (120, "2 h"), (1440, "24 h"), (10080, "7 days")]
)
def test_how_long_ago_is_told_as_people_say_it(minutes, said):
    ages = Ages(roll_back_minutes=0, ask_minutes=minutes)
    responses = Responses(critical=ages, high=ages, medium=ages, low=ages)
    release = a_release(since_at=NOW - timedelta(days=30))

    found = decide(a_situation(release=release, responses=responses))
    assert found.reason is Reason.NO_RECENT_CHANGE
    assert f"only a change of the last {said} " in found.text


@pytest.mark.parametrize(
    ("age", "rolls"),
    [
        (60 * MINUTE, RollBack),
        (60 * MINUTE + timedelta(seconds=1), Ask),
        (1440 * MINUTE, Ask),
        (1440 * MINUTE + timedelta(seconds=1), StandDown),
    ],
)
def test_the_ages_of_the_table_are_inclusive(age, rolls):
    """Of a deployment under way: a release is on trial for its bake time only."""
    trial = a_trial(a_leg(), since_at=NOW - age)
    trigger = ErrorRate(threshold_percent=5, severity=Severity.CRITICAL)

    assert isinstance(decide(of_rollouts(on_trial=trial, trigger=trigger)), rolls)


def test_the_first_runbooks_matrix_is_the_default():
    """Critical under an hour, high under four; later a person decides; minor things are told."""
    table = Responses()
    answers = {
        (severity.value, hours): table.of(severity).response(timedelta(hours=hours)).value
        for severity in Severity
        for hours in (0.5, 2, 5, 25)
    }
    assert [answers["critical", h] for h in (0.5, 2, 5, 25)] == ["roll_back", "ask", "ask", "tell"]
    assert [answers["high", h] for h in (0.5, 2, 5, 25)] == ["roll_back"] * 2 + ["ask", "tell"]
    assert [answers["medium", h] for h in (0.5, 2, 5, 25)] == ["ask", "ask", "tell", "tell"]
    assert [answers["low", h] for h in (0.5, 2, 5, 25)] == ["tell"] * 4


def test_a_table_may_stop_rolling_back_before_it_asks():
    ages = Ages(roll_back_minutes=30, ask_minutes=10)

    assert ages.response(20 * MINUTE).value == "roll_back"
    assert Responses(critical=ages, high=ages, medium=ages, low=ages).horizon == 30 * MINUTE


@pytest.mark.parametrize(("late", "rolls"), [(0, True), (1, False)])
def test_an_alarm_a_little_before_the_release_was_noticed_may_be_its_doing(late, rolls):
    release = a_release()
    fired_at = release.since_at - CHANGE_TOLERANCE - timedelta(seconds=late)
    decision = decide(a_situation(release=release, alarm=an_alarm(transitioned_at=fired_at)))

    assert isinstance(decision, RollBack) is rolls


@pytest.mark.parametrize(("minutes", "rolls"), [(29, False), (30, True), (31, True)])
def test_the_cooldown_ends_when_it_says(minutes, rolls):
    ledger = a_ledger(acted_at=(NOW - minutes * MINUTE,))

    assert isinstance(decide(a_situation(ledger=ledger)), RollBack) is rolls


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"mode": Mode.OBSERVE}, "the mode is observe"),
        ({"switches": PAUSED}, "the responder is paused by ann"),
        ({"switches": SPENT}, "10 rollbacks were made or begun in this hour"),
        ({"mode": Mode.APPROVE}, "before a person says yes"),
        ({"freezes": (FREEZE,)}, "the freeze 'the sale' is on"),
    ],
)
def test_whoever_holds_it_back_hears_what_would_have_been_done(held, words):
    decision = decide(a_situation(**held))

    assert words in decision.text
    assert decision.would == decide(a_situation())
    assert decision.would.to_version == "1"


def test_any_other_objection_promises_nothing():
    assert decide(a_situation(mode=Mode.OBSERVE, alarm=an_alarm(AlarmState.OK))).would is None


# -- what a rollout brings ------------------------------------------------------------------------

OLD = a_release("1", since_at=NOW - 600 * MINUTE, origin=Origin.FIRST_SEEN)


def of_rollouts(*legs, ledgers=None, **changes):
    """About a deployment or a stack; whatever the pointer shows is of no account."""
    legs = legs or (a_leg(),)
    given = {"release": OLD, "on_trial": a_trial(*legs), "ledgers": ledgers or {}} | changes
    return a_situation(**given)


def test_a_rollback_that_is_under_way_is_followed_whatever_the_evidence_says():
    returning = Returning(change="d-1", text="so", legs=(a_leg(how=How.FOLLOW),), over=False)
    situation = a_situation(
        on_trial=returning,
        release=OLD,
        assessment=an_assessment(Verdict.HEALTHY),
        mode=Mode.OBSERVE,
        switches=PAUSED,
    )

    assert decide(situation) == Adopt(returning=returning)
    assert decide(replace(situation, alarm=an_alarm(AlarmState.OK))).reason is (
        Reason.ALARM_NOT_FIRING
    )


@pytest.mark.parametrize("observation", [None, an_observation("1"), an_observation("$LATEST")])
def test_a_rollout_is_stopped_whatever_its_pointer_shows(observation):
    """No version is named: AWS knows where it came from."""
    situation = of_rollouts(observation=observation)

    assert decide(situation) == RollBack(reason=Reason.METRIC_BREACHING, trial=situation.on_trial)


def test_where_there_is_no_pointer_a_trusted_alarm_is_enough():
    situation = of_rollouts(
        observation=None,
        release=None,
        ledger=None,
        trigger=TRUSTED,
        assessment=an_assessment(Verdict.UNMEASURABLE),
    )

    assert decide(situation).reason is Reason.ALARM_TRUSTED
    assert decide(replace(situation, trigger=ADOPTED)).reason is Reason.ALARM_NOT_TRUSTED


@pytest.mark.parametrize(
    ("before", "reason"),
    [(0, Reason.METRIC_BREACHING), (1, Reason.ALARM_BEFORE_CHANGE)],
)
def test_aws_says_when_a_rollout_began_so_there_is_no_tolerance(before, reason):
    trial = a_trial(a_leg())
    fired_at = trial.since_at - timedelta(seconds=before)

    assert decide(of_rollouts(alarm=an_alarm(transitioned_at=fired_at))).reason is reason


@pytest.mark.parametrize(
    ("legs", "acted", "reason"),
    [
        ((a_leg(),), {GROUP: "d-1"}, Reason.ALREADY_ACTED),
        ((a_leg(),), {GROUP: "d-0"}, Reason.COOLDOWN),
        ((a_leg(),), {STACK: "d-1"}, Reason.METRIC_BREACHING),
        ((a_leg(), a_leg(STACK)), {STACK: "d-1"}, Reason.ALREADY_ACTED),
        ((a_leg(), a_leg(STACK)), {STACK: "d-0"}, Reason.COOLDOWN),
        # What is only followed is not touched.
        ((a_leg(), a_leg(STACK, How.FOLLOW)), {STACK: "d-1"}, Reason.METRIC_BREACHING),
    ],
)
def test_every_leg_is_asked_whether_it_was_touched_a_moment_ago(legs, acted, reason):
    kept = {
        target.target_id: Ledger(acted=(change,), acted_at=(NOW - MINUTE,))
        for target, change in acted.items()
    }

    assert decide(of_rollouts(*legs, ledgers=kept)).reason is reason


def test_a_redeployment_needs_a_way_back_like_a_move():
    redeploy = a_trial(a_leg(how=How.REDEPLOY), since_at=a_release().since_at)

    decision = decide(a_situation(on_trial=redeploy))
    assert decision.to_version == "1"
    lost = a_situation(on_trial=redeploy, ledger=a_ledger(good=()))
    assert decide(lost).reason is Reason.NO_PROVEN_RELEASE
    for missing in ("ledger", "observation"):
        assert decide(replace(lost, **{missing: None})).reason is Reason.NO_PROVEN_RELEASE


@pytest.mark.parametrize("gate", [change_objects, guardrails_object])
def test_where_there_is_no_change_only_its_own_gate_objects(gate):
    assert gate(a_situation(on_trial=NO_TRIAL)) is None


def test_no_gate_may_be_lost_that_keeps_from_acting_on_nothing(monkeypatch):
    monkeypatch.setattr(decision_module, "GATES", ())
    with pytest.raises(TypeError, match="no gate objected"):
        decide(a_situation(on_trial=NO_TRIAL))


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
    ("new", "previous", "reason"),
    [
        (Verdict.INCONCLUSIVE, evidence(persists=True), Reason.BOTH_VERSIONS_FAIL),
        (Verdict.INCONCLUSIVE, evidence(persists=False), Reason.INCONCLUSIVE),
        (Verdict.INCONCLUSIVE, None, Reason.INCONCLUSIVE),
        # So much worse that going back helps all the same.
        (Verdict.BREACHING, evidence(persists=True), Reason.METRIC_BREACHING),
    ],
)
def test_a_version_before_that_fails_as_well_saves_the_new_one(new, previous, reason):
    found = Assessment(new=evidence(new, persists=True), previous=previous)

    assert decide(a_situation(assessment=found)).reason is reason


# -- while traffic is shifting --------------------------------------------------------------------

BESIDE = Assessment(new=evidence(), baseline=Baseline.BESIDE)


def test_a_version_that_fails_beside_a_healthy_one_needs_no_alarm():
    quiet = a_situation(alarm=an_alarm(AlarmState.OK), assessment=BESIDE)
    not_sure = Assessment(new=evidence(Verdict.INCONCLUSIVE), baseline=Baseline.BESIDE)

    assert isinstance(decide(quiet), RollBack)
    assert decide(replace(quiet, assessment=not_sure)).reason is Reason.ALARM_NOT_FIRING
    assert decide(replace(quiet, assessment=an_assessment())).reason is Reason.ALARM_NOT_FIRING


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"actions_enabled": False}, Reason.ALARM_DISABLED),
        ({"muted_by": "maintenance"}, Reason.ALARM_MUTED),
        ({"suppressed_by": "Alarm"}, Reason.ALARM_SUPPRESSED),
    ],
)
def test_what_holds_the_alarm_holds_the_watcher_as_well(held, reason):
    alarm = an_alarm(AlarmState.OK, **held)

    assert decide(a_situation(alarm=alarm, assessment=BESIDE)).reason is reason


def test_beside_a_healthy_version_nothing_older_and_nobody_else_is_the_cause():
    older = a_situation(
        alarm=an_alarm(transitioned_at=NOW - 50 * MINUTE),
        surroundings=Surroundings(failing_siblings=("cart",)),
        assessment=BESIDE,
    )

    assert isinstance(decide(older), RollBack)
    assert decide(replace(older, assessment=an_assessment())).reason is Reason.ALARM_BEFORE_CHANGE


# -- what people and the policy say ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        (Unsafe(by="ci", why="so"), Reason.ROLLBACK_UNSAFE),
        (Unsafe(by="ci", why="so", version="2"), Reason.ROLLBACK_UNSAFE),
        (Unsafe(by="ci", why="so", version="3"), Reason.METRIC_BREACHING),
        (Unsafe(by="ci", why="so", until_at=LATER), Reason.ROLLBACK_UNSAFE),
        (Unsafe(by="ci", why="so", until_at=NOW), Reason.METRIC_BREACHING),
    ],
)
def test_a_mark_is_about_a_version_or_all_and_expires(mark, reason):
    assert decide(a_situation(controls=Controls(unsafe=(mark,)))).reason is reason


def test_a_mark_for_all_holds_where_no_version_is_known_too():
    situation = of_rollouts(observation=None, release=None, ledger=None, trigger=TRUSTED)
    situation = replace(situation, assessment=an_assessment(Verdict.UNMEASURABLE))
    marked = Controls(unsafe=(Unsafe(by="ci", why="so"),))

    assert decide(replace(situation, controls=marked)).reason is Reason.ROLLBACK_UNSAFE


@pytest.mark.parametrize(("alarm", "words"), [(None, "does not exist"), (an_alarm(), "fires")])
def test_a_dependency_that_fails_or_that_nobody_knows_holds(alarm, words):
    around = Surroundings(dependencies={"db": alarm})
    decision = decide(a_situation(surroundings=around))

    assert decision.reason is Reason.DEPENDENCY_FAILING
    assert words in decision.text


def test_a_dependency_that_is_well_holds_nothing():
    around = Surroundings(dependencies={"db": an_alarm(AlarmState.OK)})

    assert isinstance(decide(a_situation(surroundings=around)), RollBack)


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (an_observation("1", other="2"), Reason.NO_PROVEN_RELEASE),
        (an_observation("0", other="2"), Reason.METRIC_BREACHING),
        (an_observation("2"), Reason.METRIC_BREACHING),
        (None, Reason.METRIC_BREACHING),
    ],
)
def test_nothing_is_stopped_to_get_where_the_policy_never_goes(observation, reason):
    situation = of_rollouts(observation=observation, never_back_to=frozenset({"1"}))

    assert decide(situation).reason is reason


@pytest.mark.parametrize(("to_version", "answers"), [(None, True), ("1", True), ("0", False)])
def test_a_yes_is_to_the_way_back_that_was_asked_about(to_version, answers):
    asks = a_situation(mode=Mode.APPROVE, approval=replace(YES, to_version=to_version))

    assert isinstance(decide(asks), RollBack) is answers


def test_the_policy_may_deny_the_way_back():
    decision = decide(a_situation(never_back_to=frozenset({"1"})))

    assert decision.reason is Reason.NO_PROVEN_RELEASE
    assert "never goes back to 1" in decision.text


@pytest.mark.parametrize(("minutes", "asks"), [(17, False), (18, True)])
def test_what_begins_after_its_time_on_trial_is_asked_about(minutes, asks):
    """Ten minutes of trial, three for the alarm, two of tolerance; the alarm fired 2 min ago."""
    since_at = NOW - minutes * MINUTE
    release = a_release(since_at=since_at, whole_since_at=since_at)

    assert isinstance(decide(a_situation(release=release)), Ask) is asks
    shared = replace(release, whole_since_at=None)
    assert isinstance(decide(a_situation(release=shared)), RollBack)


@pytest.mark.parametrize(("ago", "reason"), [(25, None), (23, Reason.SERVICE_BUDGET_SPENT)])
def test_a_days_rollbacks_are_of_the_last_24_hours(ago, reason):
    acted_at = tuple(NOW - hours * 60 * MINUTE for hours in (1, 2, ago))
    decision = decide(a_situation(ledger=a_ledger(acted_at=acted_at)))

    assert decision.reason is (reason or Reason.METRIC_BREACHING)


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
        acted_at=tuple(draw(st.lists(INSTANTS, max_size=2))),
    )


ROLLOUT_LEDGERS = st.builds(
    Ledger,
    acted=st.sampled_from([(), ("d-1",), ("d-0",)]),
    acted_at=st.lists(INSTANTS, max_size=2).map(tuple),
)


SURROUNDINGS = [
    Surroundings(),
    Surroundings(failing_siblings=("cart",)),
    Surroundings(dependencies={"db": None}),
    Surroundings(dependencies={"db": an_alarm(AlarmState.OK)}),
]
CONTROLS = [
    Controls(),
    Controls(unsafe=(Unsafe(by="ci", why="migrated", version="4"),)),
    Controls(fix_forward=FixingForward(by="ann", until_at=LATER)),
    Controls(fix_forward=FixingForward(by="ann", until_at=NOW)),
]


@st.composite
def situations(draw):
    ledger = draw(ledgers())
    verdicts = st.sampled_from(Verdict)
    release = ledger.current
    kept = {TARGET.target_id: ledger, GROUP.target_id: draw(ROLLOUT_LEDGERS)}
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
        release=release,
        ledger=ledger,
        ledgers=kept,
        on_trial=draw(
            st.sampled_from(
                [
                    trial_of(release),
                    a_trial(a_leg(), since_at=draw(INSTANTS)),
                    a_trial(a_leg(change=release.key, how=How.REDEPLOY)),
                    NO_TRIAL,
                    Returning(change="d-1", text="so", legs=(a_leg(),), over=False),
                ]
            )
        ),
        trigger=draw(st.sampled_from([ErrorRate(threshold_percent=5), ADOPTED, TRUSTED])),
        assessment=Assessment(
            new=evidence(draw(verdicts)),
            previous=draw(st.none() | verdicts.map(evidence)),
            baseline=draw(st.sampled_from(Baseline)),
        ),
        mode=draw(st.sampled_from(Mode)),
        guardrails=Guardrails(),
        responses=Responses(),
        surroundings=draw(st.sampled_from(SURROUNDINGS)),
        controls=draw(st.sampled_from(CONTROLS)),
        freezes=draw(st.sampled_from([(), (FREEZE,)])),
        approval=draw(st.sampled_from([None, YES])),
        switches=draw(st.sampled_from([Switches(), PAUSED, SPENT])),
    )


def forced(situation, *, moving):
    """As near to a rollback as it can be: so that the property is asked of real rollbacks too."""
    release = replace(situation.release, version="4", since_at=NOW - MINUTE, origin=Origin.DEPLOYED)
    return replace(
        situation,
        alarm=an_alarm(),
        release=release,
        observation=an_observation("4"),
        ledger=(ledger := replace(situation.ledger, current=release)),
        ledgers={**situation.ledgers, TARGET.target_id: ledger},
        on_trial=trial_of(release) if moving else a_trial(a_leg()),
        switches=Switches(),
        assessment=an_assessment(),
        mode=Mode.ENFORCE,
        trigger=ErrorRate(threshold_percent=5),
        surroundings=Surroundings(),
        controls=Controls(),
    )


@given(situations(), st.sampled_from([None, "move", "stop"]))
def test_a_rollback_has_no_objection_whatever_the_situation(situation, force):
    situation = forced(situation, moving=force == "move") if force else situation
    decision = decide(situation)
    if not isinstance(decision, RollBack):
        ends = isinstance(decision, StandDown | Ask)
        assert ends or situation.on_trial == decision.returning
        return
    new, ledger, alarm = situation.assessment.new, situation.ledger, situation.alarm
    beside = situation.assessment.convicts_beside

    assert alarm.state is AlarmState.ALARM or beside
    assert not situation.surroundings.failing_siblings or (
        situation.assessment.baseline is Baseline.BESIDE
    )
    assert not any(
        each is None or each.state is AlarmState.ALARM
        for each in situation.surroundings.dependencies.values()
    )
    fix = situation.controls.fix_forward
    assert fix is None or fix.until_at <= NOW
    assert not situation.freezes or situation.approval
    assert not alarm.suppressed_by
    assert alarm.actions_enabled
    assert new.verdict is Verdict.BREACHING or (
        new.verdict is Verdict.UNMEASURABLE and situation.trigger == TRUSTED
    )
    assert situation.mode is Mode.ENFORCE or (situation.mode is Mode.APPROVE and situation.approval)
    assert situation.switches == Switches()
    assert isinstance(situation.on_trial, Trial)
    assert decision.trial is situation.on_trial
    for leg in decision.trial.legs:
        touched = situation.ledgers[leg.target.target_id]
        assert leg.change not in touched.acted
        assert not touched.acted_at or NOW - touched.acted_at[0] >= 30 * MINUTE
    if not decision.trial.moves_pointer:
        assert decision.to_version is None
        assert alarm.transitioned_at >= decision.trial.since_at or beside
        return
    assert situation.release.origin is Origin.DEPLOYED
    assert decision.to_version in {good.version for good in ledger.good}


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


def test_a_freeze_that_is_over_holds_nothing():
    over = replace(FREEZE, until_at=NOW)

    assert isinstance(decide(a_situation(freezes=(over,))), RollBack)
    assert decide(a_situation(freezes=(over, FREEZE))).reason is Reason.FROZEN
