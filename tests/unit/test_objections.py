"""What is said against a rollback, word for word: people read it in Slack and act on it."""

from datetime import timedelta

import pytest

from rollback_responder.domain.assessment import CHANGE_TOLERANCE, Assessment
from rollback_responder.domain.decision import decide, proposed
from rollback_responder.domain.gates import (
    change_objects,
    dependencies_object,
    guardrails_object,
    siblings_object,
    went_back_with,
)
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.policy import Guardrails
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.domain.response import Ages, Responses
from rollback_responder.domain.signal import AlarmState
from rollback_responder.domain.situation import Ask, RollBack, StandDown, Surroundings, Switches
from rollback_responder.domain.trigger import AdoptedAlarm, WhenUnmeasurable
from tests.builders import (
    MINUTE,
    NOW,
    a_ledger,
    a_leg,
    a_release,
    a_trial,
    an_alarm,
    an_observation,
    evidence,
)
from tests.unit.test_decision import OBJECTIONS, a_situation, objecting, of_rollouts

SECOND = timedelta(seconds=1)
# One sentence for each row of `OBJECTIONS`.
SAID = [
    "the alarm, read again, is OK",
    "the alarm's actions are suppressed (Alarm)",
    "somebody disabled the alarm's actions",
    "the alarm's actions are muted by the rule maintenance",
    "the alarm's state is in doubt: PARTIAL_DATA",
    "so",
    "the alias points to $LATEST, which has no version to go back to",
    (
        "version 2 has been live since 21 Nov 03:59 UTC or longer; only a change of the last 24 h"
        " is undone"
    ),
    "version 2 is itself the result of a rollback; nothing goes back twice in a row",
    "a person put version 2 back at 03:55:00 UTC, after it was rolled back",
    "the alarm fired at 03:52:00, before version 2 began at 03:55:00 UTC",
    "the alarm 'db' of a dependency fires as well",
    "cart fails as well, without a deploy: what they share is the likelier cause",
    "error rate 40.0 % > 5 % (60 requests)",
    "version 2 was acted upon, or left as it is, before",
    "the last rollback here was at 03:31:00 UTC; hands off for 30 min after one",
    "rolled back 3 times within 24 hours, the most that the policy allows",
    "no version older than 2 has proved itself",
    "ci marked it as unsafe to roll back: migrated",
    "bob said at 04:00:00 UTC that it stays",
    "ann fixes it forward, until 22 Nov 04:01:00 UTC",
    "the mode is observe: nothing was touched",
    "low severity, and the change is 5 min old",
    "the responder is paused by ann",
    "10 rollbacks were made or begun in this hour, the most that the policy allows",
    "version 2 had proved itself by 03:59:00 UTC; what broke came later",
    (
        "the alarm fired at 03:58:00, and version 2 had taken all traffic at 03:51:00 UTC: after"
        " its 1 min on trial it is not blamed"
    ),
    "medium severity, and the change is 5 min old",
    "the mode is approve: nothing is touched before a person says yes",
    "the freeze 'the sale' is on",
    "ann froze it until 22 Nov 04:01:00 UTC",
]


@pytest.mark.parametrize(
    ("objection", "said"), [(row, said) for (_, row), said in zip(OBJECTIONS, SAID, strict=True)]
)
def test_an_objection_says_what_it_found(objection, said):
    assert decide(objecting(objection)).text == said


FROM_HERE = [reason for reason, _ in OBJECTIONS].index(Reason.ROLLBACK_UNSAFE)


@pytest.mark.parametrize("objection", [row for _, row in OBJECTIONS[FROM_HERE:]])
def test_whoever_flips_a_switch_hears_what_would_have_been_done(objection):
    situation = objecting(objection)

    assert decide(situation).would == proposed(situation, situation.on_trial)


def test_where_a_stop_would_lead_back_to_what_is_denied_it_is_said():
    situation = of_rollouts(
        observation=an_observation("1", other="2"), never_back_to=frozenset({"1"})
    )
    found = decide(situation)

    assert found.text == "it would lead back to version 1, which the policy never goes back to"
    assert found.would == proposed(situation, situation.on_trial)


def test_a_budget_of_one_is_one():
    spent = a_situation(
        guardrails=Guardrails(rollbacks_an_hour=1), switches=Switches(in_budget=False)
    )

    assert decide(spent).text == (
        "1 rollback was made or begun in this hour, the most that the policy allows"
    )


def test_that_a_release_has_proved_itself_says_nothing_of_a_rollout():
    proved = a_release("1", proven_at=NOW, since_at=NOW - 600 * MINUTE)

    assert isinstance(decide(of_rollouts(release=proved)), RollBack)


@pytest.mark.parametrize(("seconds", "asks"), [(0, False), (1, True)])
def test_an_alarm_without_minutes_of_ours_is_given_none(seconds, asks):
    """Ten minutes on trial and two of tolerance; then whatever began is not the release's."""
    whole_at = NOW - 14 * MINUTE - timedelta(seconds=seconds)
    situation = a_situation(
        trigger=AdoptedAlarm(name="a", when_unmeasurable=WhenUnmeasurable.TRUST_ALARM),
        release=a_release(since_at=whole_at, whole_since_at=whole_at),
    )

    assert isinstance(decide(situation), Ask) is asks


@pytest.mark.parametrize("verdict", [Verdict.HEALTHY, Verdict.INCONCLUSIVE, Verdict.UNMEASURABLE])
def test_what_was_measured_is_said_as_it_was_judged(verdict):
    found = decide(a_situation(assessment=Assessment(new=evidence(verdict, "12 of 13"))))

    assert found.text == "12 of 13"


def test_where_both_versions_fail_both_are_told():
    found = Assessment(
        new=evidence(Verdict.INCONCLUSIVE, "new", persists=True),
        previous=evidence(text="old", persists=True),
    )

    assert decide(a_situation(assessment=found)).text == "new. The version before: old"


@pytest.mark.parametrize(
    ("failing", "said"),
    [(("cart",), "cart fails as well,"), (("cart", "till"), "cart, till fail as well,")],
)
def test_who_else_fails_is_named(failing, said):
    found = siblings_object(a_situation(surroundings=Surroundings(failing_siblings=failing)))

    assert found.text == f"{said} without a deploy: what they share is the likelier cause"


@pytest.mark.parametrize(
    ("live", "never", "said"),
    [
        (an_observation("3"), (), "no version older than 3 has proved itself"),
        (None, (), "no version older than it has proved itself"),
        (
            an_observation("3"),
            ("2", "1"),
            "no version older than 3 has proved itself (the policy never goes back to 1, 2)",
        ),
    ],
)
def test_why_there_is_no_way_back(live, never, said):
    situation = a_situation(
        ledger=a_ledger(good=()), observation=live, never_back_to=frozenset(never)
    )

    assert decide(situation).text == said


def test_every_dependency_is_asked_not_only_the_first():
    around = Surroundings(dependencies={"db": an_alarm(AlarmState.OK), "queue": None})
    found = dependencies_object(a_situation(surroundings=around))

    assert found == StandDown(
        reason=Reason.DEPENDENCY_FAILING,
        text="the alarm 'queue' of a dependency does not exist: nobody knows how that is",
    )


@pytest.mark.parametrize(
    ("allowed", "said"),
    [(1, "rolled back 1 time within 24 hours"), (2, "rolled back 2 times within 24 hours")],
)
def test_a_budget_is_spent_by_as_many_rollbacks_as_it_has(allowed, said):
    acted_at = tuple(NOW - (number + 1) * 60 * MINUTE for number in range(allowed))
    situation = a_situation(
        ledger=a_ledger(acted_at=acted_at),
        guardrails=Guardrails(service_rollbacks_a_day=allowed),
    )

    assert decide(situation).text == f"{said}, the most that the policy allows"
    more = Guardrails(service_rollbacks_a_day=allowed + 1)
    assert guardrails_object(a_situation(ledger=situation.ledger, guardrails=more)) is None


# -- what the minutes know better than the ledger -------------------------------------------------


def serving(since_at, **changes):
    """Deployed five minutes ago as the ledger has it; the minutes say since when it serves."""
    found = Assessment(new=evidence(), served_since_at=since_at)
    return a_situation(assessment=found, **changes)


@pytest.mark.parametrize(("fired", "objects"), [(12, False), (12.1, True)])
def test_an_alarm_is_about_a_release_from_its_first_minute_on(fired, objects):
    situation = serving(NOW - 12 * MINUTE, alarm=an_alarm(transitioned_at=NOW - fired * MINUTE))
    found = change_objects(situation)

    assert (found is not None) is objects
    if found:
        assert found.text == ("the alarm fired at 03:47:54, before version 2 began at 03:48:00 UTC")


def test_minutes_of_a_later_stay_do_not_make_a_release_younger():
    fired = an_alarm(transitioned_at=NOW - 5 * MINUTE)

    assert change_objects(serving(NOW - 2 * MINUTE, alarm=fired)) is None


@pytest.mark.parametrize(
    ("origin", "reason"),
    [(Origin.DEPLOYED, Reason.NO_RECENT_CHANGE), (Origin.PUT_BACK, Reason.PUT_BACK)],
)
def test_what_served_before_anything_was_measured_is_no_recent_deploy(origin, reason):
    found = Assessment(new=evidence(), served_before=True)
    situation = a_situation(release=a_release(origin=origin), assessment=found)

    assert change_objects(situation).reason is reason


# -- to the second --------------------------------------------------------------------------------


def test_a_rollback_counts_for_a_day_and_not_a_moment_longer():
    budget = Guardrails(service_rollbacks_a_day=1)

    def after(ago):
        ledger = a_ledger(acted_at=(NOW - ago,))
        return guardrails_object(a_situation(ledger=ledger, guardrails=budget))

    assert after(timedelta(hours=24) - SECOND).reason is Reason.SERVICE_BUDGET_SPENT
    assert after(timedelta(hours=24)) is None


def test_a_release_is_undone_up_to_the_policys_oldest_age():
    def aged(age):
        release = a_release(since_at=NOW - age)
        return change_objects(a_situation(release=release))

    assert aged(timedelta(hours=24)) is None
    assert aged(timedelta(hours=24) + SECOND).reason is Reason.NO_RECENT_CHANGE


@pytest.mark.parametrize(
    ("minutes", "said"), [(59, "59 min"), (60, "1 h"), (1440, "24 h"), (2880, "2 days")]
)
def test_a_length_of_time_is_told_in_its_largest_whole_unit(minutes, said):
    ages = Ages(roll_back_minutes=0, ask_minutes=minutes)
    responses = Responses(critical=ages, high=ages, medium=ages, low=ages)
    release = a_release(since_at=NOW - timedelta(days=30))
    found = change_objects(a_situation(release=release, responses=responses))

    assert f"only a change of the last {said} is undone" in found.text


def test_what_was_noticed_a_little_before_a_rollout_came_with_it():
    trial = a_trial(a_leg(), since_at=NOW - 3 * MINUTE)

    def brought(since_at, origin=Origin.ROLLED_BACK):
        return went_back_with(trial, a_release("1", origin=origin, since_at=since_at))

    assert brought(trial.since_at - CHANGE_TOLERANCE)
    assert not brought(trial.since_at - CHANGE_TOLERANCE - SECOND)
    assert not brought(trial.since_at, Origin.DEPLOYED)
