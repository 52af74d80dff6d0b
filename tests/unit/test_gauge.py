"""Measuring one alarm: what is asked in the one call, of whom, and what it comes to."""

import re
from types import SimpleNamespace

import pytest

from rollback_responder.domain.assessment import Baseline, unmeasurable
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.metric import question_of, tells_versions_apart
from rollback_responder.domain.release import Ledger, Origin, seen_rollout
from rollback_responder.domain.rollout import Phase, Sight
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.domain.trigger import AdoptedAlarm
from rollback_responder.gauge import (
    Sibling,
    Suspect,
    asked_ahead,
    measured,
    siblings_of,
    suspect_of,
)
from rollback_responder.ports import Row
from tests.builders import (
    MINUTE,
    NOW,
    TARGET,
    a_good,
    a_ledger,
    a_policy,
    a_release,
    an_observation,
    counted,
)

ERROR_RATE = {"kind": "error_rate", "threshold_percent": 5}
LATENCY = {"kind": "latency", "statistic": "p95", "threshold_ms": 300}
TIMES_NORMAL = {"kind": "latency_times_normal", "statistic": "p95", "times": 3}
THROTTLES = {"kind": "throttles"}
TIMEOUTS = {"kind": "timeouts", "threshold_percent": 5}
API_RATE = {"kind": "api_5xx_rate", "api": {"name": "shop"}, "threshold_percent": 5}
API_COUNT = {"kind": "api_5xx_count", "api": {"name": "shop"}, "more_than": 10}
DEAD_LETTERS = {"kind": "dead_letters", "queue": "dead"}
ADOPTED = {"kind": "alarm", "name": "somebody's"}
MEASURED = [
    ERROR_RATE,
    LATENCY,
    TIMES_NORMAL,
    THROTTLES,
    TIMEOUTS,
    API_RATE,
    API_COUNT,
    DEAD_LETTERS,
]
EVERY = pytest.mark.parametrize("trigger", MEASURED, ids=lambda trigger: trigger["kind"])


def an_alias(function, alias="live"):
    return {"kind": "lambda_alias", "function": function, "alias": alias}


def a_house(*triggers, siblings=(), **guardrails):
    """A policy of one service with these triggers, and siblings as (name, aliases, triggers)."""
    return a_policy(
        guardrails=guardrails,
        services=[
            {
                "name": "shop",
                "targets": [an_alias("shop")],
                "triggers": list(triggers),
                "siblings": [name for name, _, _ in siblings],
            },
            *(
                {
                    "name": name,
                    "targets": [an_alias(name, alias) for alias in aliases],
                    "triggers": list(asked),
                }
                for name, aliases, asked in siblings
            ),
        ],
    )


def watched(trigger):
    """The alarm of the only trigger of the only service."""
    return next(iter(a_house(trigger).watched()))


def suspected(trigger=ERROR_RATE, observation=None, ledger=None, changed_at=NOW - 5 * MINUTE):
    return suspect_of(
        watched(trigger), observation or an_observation(), ledger or a_ledger(), changed_at
    )


# -- whom it is about -----------------------------------------------------------------------------


@EVERY
def test_versions_are_asked_for_only_where_they_can_be_told_apart(trigger):
    found = suspected(trigger)
    apart = tells_versions_apart(found.watched.trigger)

    assert (found.new, found.previous) == (("2", "1") if apart else (None, None))
    assert found.changed_at == NOW - 5 * MINUTE


@pytest.mark.parametrize(
    ("observation", "ledger", "expected"),
    [
        # All at once: back to the latest version that proved itself, if there is one.
        (an_observation("2"), a_ledger(), ("2", "1", False)),
        (an_observation("2"), a_ledger(good=()), ("2", None, False)),
        # While it is shifting, the other one serves beside it, proven or not.
        (an_observation("1", "2"), a_ledger(), ("2", "1", True)),
        (an_observation("2", "1"), a_ledger(good=()), ("2", "1", True)),
        (an_observation("2", "0"), a_ledger(good=(a_good("1"),)), ("2", "0", True)),
        # Nothing is known of it.
        (None, a_ledger(), (None, None, False)),
        (an_observation("2"), Ledger(), (None, None, False)),
    ],
)
def test_the_suspect_and_the_version_before_it(observation, ledger, expected):
    found = suspect_of(watched(ERROR_RATE), observation, ledger, NOW - 5 * MINUTE)

    assert (found.new, found.previous, found.shifting) == expected


@pytest.mark.parametrize(
    ("minutes", "other", "expected"),
    [
        # The release came with the change, give or take a look of the watcher.
        (5, None, "2"),
        (7, None, "2"),
        (3, None, "2"),
        # The change is another's: the version was there long before.
        (7.1, None, None),
        (60, None, None),
        # Shifting for an hour, and the suspect of it all the same.
        (60, "1", "2"),
    ],
)
def test_the_version_is_suspected_if_the_change_is_what_put_it_there(minutes, other, expected):
    ledger = a_ledger(current=a_release(since_at=NOW - minutes * MINUTE))

    assert suspected(observation=an_observation("2", other), ledger=ledger).new == expected


def test_an_adopted_alarm_is_about_no_version():
    assert suspected(ADOPTED) == Suspect(watched=watched(ADOPTED), changed_at=NOW - 5 * MINUTE)


# -- who shares what it depends on ----------------------------------------------------------------


def a_row(*releases):
    return Row(
        ledgers={str(n): Ledger(current=release) for n, release in enumerate(releases)},
        incident=None,
        acting_until=None,
    )


def a_rollout_row(phase):
    """The row of a service whose stack stood so when it was last seen."""
    ledger = seen_rollout(Ledger(), Sight(phase=phase, status="so", change="the stack's update"))
    return Row(ledgers={"cloudformation_stack/cart": ledger}, incident=None, acting_until=None)


PROVEN = a_release(proven_at=NOW)
ON_TRIAL = a_release()
SEEN = a_release(origin=Origin.FIRST_SEEN)


def rolled_back(minutes):
    return a_release(origin=Origin.ROLLED_BACK, since_at=NOW - minutes * MINUTE)


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        ({"cart": a_row(PROVEN)}, True),
        ({"cart": a_row(PROVEN, PROVEN)}, True),
        ({"cart": a_row(SEEN)}, True),
        ({"cart": a_row(None)}, True),
        ({"cart": a_row()}, True),
        ({}, True),
        # It may fail for a reason of its own.
        ({"cart": a_row(ON_TRIAL)}, False),
        ({"cart": a_row(PROVEN, ON_TRIAL)}, False),
        ({"cart": a_row(rolled_back(10))}, False),
        ({"cart": a_row(rolled_back(10.1))}, True),
        ({"shop": a_row(ON_TRIAL)}, True),
        # So may one whose stack or deployment is under way, be it back or forth.
        ({"cart": a_rollout_row(Phase.RUNNING)}, False),
        ({"cart": a_rollout_row(Phase.FINISHING)}, False),
        ({"cart": a_rollout_row(Phase.RETURNING)}, False),
        ({"cart": a_rollout_row(Phase.SETTLED)}, True),
        ({"cart": a_rollout_row(Phase.RETURNED)}, True),
    ],
)
def test_a_sibling_on_trial_itself_is_not_asked(rows, asked):
    policy = a_house(ERROR_RATE, siblings=[("cart", ["live"], [ERROR_RATE])])
    found = siblings_of(policy, policy.services[0], rows, NOW)

    assert [sibling.service for sibling in found] == ["cart"] * asked


@pytest.mark.parametrize(
    ("aliases", "triggers", "asked"),
    [
        (["live"], [ERROR_RATE], ["error rate"]),
        # The first that counts bad requests; on each of its aliases.
        (["live"], [ADOPTED, LATENCY, THROTTLES, ERROR_RATE], ["throttled requests"]),
        (["live", "beta"], [ERROR_RATE], ["error rate"] * 2),
        (["live", "beta"], [LATENCY, ERROR_RATE], ["error rate"] * 2),
        (["live"], [DEAD_LETTERS, API_RATE], ["5xx responses"]),
        (["live"], [API_COUNT], ["5xx responses"]),
        # It has none that counts any.
        (["live"], [LATENCY, DEAD_LETTERS], []),
        (["live"], [ADOPTED], []),
    ],
)
def test_a_sibling_is_asked_how_many_of_its_requests_fail(aliases, triggers, asked):
    policy = a_house(ERROR_RATE, siblings=[("cart", aliases, triggers)])
    found = siblings_of(policy, policy.services[0], {}, NOW)

    assert [sibling.question.noun for sibling in found] == asked


def test_a_sibling_is_asked_about_its_own_aliases():
    policy = a_house(ERROR_RATE, siblings=[("cart", ["live", "beta"], [ERROR_RATE])])
    trigger = policy.services[1].triggers[0]

    assert [sibling.question for sibling in siblings_of(policy, policy.services[0], {}, NOW)] == [
        question_of(trigger, LambdaAlias(function="cart", alias=alias))
        for alias in ("live", "beta")
    ]


def test_siblings_are_asked_in_the_policys_order_and_nobody_else():
    policy = a_house(
        ERROR_RATE,
        siblings=[("cart", ["live"], [ERROR_RATE]), ("mail", ["live"], [ERROR_RATE])],
    )
    shop, cart, _ = policy.services

    assert [each.service for each in siblings_of(policy, shop, {}, NOW)] == ["cart", "mail"]
    assert siblings_of(policy, cart, {}, NOW) == ()


# -- what it comes to -----------------------------------------------------------------------------

RATE_OF = {
    name: question_of(watched(ERROR_RATE).trigger, LambdaAlias(function=name, alias="live"))
    for name in ("cart", "mail")
}
CART, MAIL = (Sibling(service=name, question=question) for name, question in RATE_OF.items())


class Metrics:
    """Answers with these minutes, and keeps what it was asked."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def read(self, questions, *, since_at, now):
        self.calls.append((questions, since_at, now))
        return {name: self.answers.get(name, ()) for name in questions}


def rooms(metrics, **guardrails):
    policy = a_house(ERROR_RATE, **guardrails)
    return SimpleNamespace(metrics=metrics, policy=policy, start=lambda call: call)


def asked(suspect, *siblings):
    """What is asked about it: the one call's questions."""
    metrics = Metrics()
    measured(rooms(metrics), suspect, siblings, NOW)
    ((questions, _, _),) = metrics.calls
    return questions


def test_all_is_asked_in_one_call():
    trigger = watched(ERROR_RATE).trigger

    assert asked(suspected(), CART, MAIL) == {
        "total": question_of(trigger, TARGET),
        "new": question_of(trigger, TARGET, version="2"),
        "previous": question_of(trigger, TARGET, version="1"),
        "sibling0": CART.question,
        "sibling1": MAIL.question,
    }


@EVERY
def test_each_version_is_asked_for_where_the_suspect_has_it(trigger):
    names = (
        {"total", "new", "previous"} if trigger in (ERROR_RATE, LATENCY, TIMES_NORMAL) else set()
    )

    assert set(asked(suspected(trigger))) == names | {"total"}
    assert set(asked(suspected(trigger, ledger=a_ledger(good=())))) == (names | {"total"}) - {
        "previous"
    }


def test_of_an_adopted_alarm_only_the_siblings_are_asked():
    assert asked(suspected(ADOPTED), CART) == {"sibling0": CART.question}


@pytest.mark.parametrize(
    ("age", "since"),
    [
        # An hour before a young change; ten minutes at least.
        (0, 60),
        (5, 65),
        (1440, 1500),
        # What is too old to be suspected is only looked at now.
        (1440.1, 10),
        (10_000, 10),
    ],
)
def test_a_young_change_is_read_with_the_hour_before_it(age, since):
    metrics = Metrics()
    measured(rooms(metrics), suspected(changed_at=NOW - age * MINUTE), (), NOW)

    assert [call[1:] for call in metrics.calls] == [(NOW - since * MINUTE, NOW)]


NEW, OLD = counted(*[(600, 120)] * 5, first=-5), counted(*[(600, 0)] * 60, first=-65)


def test_what_was_read_is_judged():
    beside = counted(*[(600, 0)] * 5, first=-5)
    at_once, *_ = measured(rooms(Metrics(new=NEW, previous=OLD)), suspected(), (), NOW)
    whole, *_ = measured(rooms(Metrics(total=(*OLD, *NEW))), suspected(THROTTLES), (), NOW)
    shifting = suspected(observation=an_observation("1", "2"))
    canary, *_ = measured(rooms(Metrics(new=NEW, previous=(*OLD, *beside))), shifting, (), NOW)
    alone, *_ = measured(rooms(Metrics(new=NEW, previous=OLD)), shifting, (), NOW)

    assert [each.new.verdict for each in (at_once, whole, canary, alone)] == [
        Verdict.BREACHING,
        Verdict.BREACHING,
        Verdict.BREACHING,
        Verdict.INCONCLUSIVE,
    ]
    assert (at_once.baseline, canary.baseline) == (Baseline.BEFORE, Baseline.BESIDE)


def test_the_policys_lag_says_which_minutes_are_whole():
    """The last three were good; with a lag of three they may still turn out bad."""
    minutes = counted(*[(600, 0)] * 3, first=-3)

    for lag, verdict in ((0, Verdict.HEALTHY), (3, Verdict.INCONCLUSIVE)):
        house = rooms(Metrics(new=minutes, previous=OLD), metric_lag_minutes=lag)
        assert measured(house, suspected(), (), NOW)[0].new.verdict is verdict


@pytest.mark.parametrize("siblings", [(), (CART,)])
@pytest.mark.parametrize("trigger", [ERROR_RATE, ADOPTED], ids=lambda trigger: trigger["kind"])
def test_what_cannot_be_read_is_unmeasurable(trigger, siblings):
    def read(*_, **__):
        raise MeasurementError("GetMetricData: Throttling")

    house = rooms(SimpleNamespace(read=read))
    text = "the metric could not be read: GetMetricData: Throttling"

    assessment, failing, recorded = measured(house, suspected(trigger), siblings, NOW)
    assert (assessment, failing, recorded()) == (unmeasurable(text), (), None)


def test_what_is_asked_ahead_has_names_that_cloudwatch_takes():
    """A small letter first, then letters, digits and underscores (API reference, `Id`)."""
    ledger = a_ledger(current=a_release("$LATEST"), good=(a_good("1"),))
    ahead = asked_ahead(rooms(Metrics()), watched(ERROR_RATE), ledger, NOW)

    assert ahead.covers([question_of(watched(ERROR_RATE).trigger, TARGET, version="$LATEST")], NOW)
    assert [name for name in ahead.questions if not re.fullmatch(r"[a-z]\w*", name)] == []


def test_what_could_not_be_answered_ahead_is_asked_once_for_what_is_needed():
    """A version that is only likely is no reason to judge without numbers."""

    class OnlyWhatIs(Metrics):
        def read(self, questions, *, since_at, now):
            found = super().read(questions, since_at=since_at, now=now)
            if len(questions) > 3:
                raise MeasurementError("GetMetricData: InternalError")
            return found

    house = rooms(OnlyWhatIs(new=NEW, previous=OLD))
    ahead = asked_ahead(house, watched(ERROR_RATE), a_ledger(), NOW)
    assessment, *_ = measured(house, suspected(), (), NOW, ahead)

    assert assessment.new.verdict is Verdict.BREACHING
    names = [set(questions) for questions, _, _ in house.metrics.calls]
    assert names == [set(ahead.questions), {"total", "new", "previous"}]


def test_an_adopted_alarms_metric_is_not_read_and_its_siblings_are():
    house = rooms(Metrics(sibling0=counted((60, 30), first=-2)))
    assessment, failing, _ = measured(house, suspected(ADOPTED), (CART,), NOW)

    assert isinstance(watched(ADOPTED).trigger, AdoptedAlarm)
    assert assessment.new.verdict is Verdict.UNMEASURABLE
    assert "does not read the metric of an alarm that is not its own" in assessment.new.text
    assert failing == ("cart",)


@pytest.mark.parametrize(
    ("lag", "minute", "fails"),
    [
        # The latest two whole minutes end a minute ago, with a lag of one.
        (1, -4, False),
        (1, -3, True),
        (1, -2, True),
        # One that is not whole yet counts as bad, never as good.
        (1, -1, True),
        (0, -3, False),
        (0, -2, True),
        (3, -6, False),
        (3, -5, True),
    ],
)
@pytest.mark.parametrize("seconds", [0, 30])
def test_a_sibling_fails_if_one_of_the_latest_two_whole_minutes_was_bad(
    lag, minute, fails, seconds
):
    house = rooms(Metrics(sibling1=counted((60, 30), first=minute)), metric_lag_minutes=lag)
    now = NOW + seconds / 60 * MINUTE
    _, failing, _ = measured(house, suspected(), (CART, MAIL), now)

    assert failing == (("mail",) if fails else ())


@pytest.mark.parametrize("counts", [(60, 3), (1, 1), (60, 0)])
def test_a_sibling_that_is_within_its_own_limit_does_not_fail(counts):
    house = rooms(Metrics(sibling0=counted(counts, first=-2)))

    assert measured(house, suspected(), (CART,), NOW)[1] == ()


@pytest.mark.parametrize("failing", ["sibling0", "sibling1"])
def test_a_sibling_fails_if_one_of_its_aliases_does(failing):
    house = rooms(Metrics(new=NEW, previous=OLD, **{failing: counted(*[(60, 30)] * 6, first=-6)}))
    assessment, names, _ = measured(house, suspected(), (CART, CART), NOW)

    assert names == ("cart",)
    assert assessment.new.text.endswith("no traffic")


def test_minutes_in_which_a_sibling_failed_are_excused():
    """All of them, also those that are not its latest: evidence is left from an outage."""
    excused = counted(*[(60, 30)] * 3, first=-5)
    house = rooms(Metrics(new=NEW, previous=OLD, sibling0=excused), metric_lag_minutes=0)
    assessment, failing, _ = measured(house, suspected(), (CART,), NOW)

    assert (failing, assessment.new.requests) == ((), 1200)

    all_of_them = counted(*[(60, 30)] * 5, first=-5)
    house = rooms(Metrics(new=NEW, previous=OLD, sibling0=all_of_them))
    assessment, failing, _ = measured(house, suspected(), (CART,), NOW)
    assert (failing, assessment.new.text) == (("cart",), "0 requests in 3 min: no traffic")


def test_nothing_is_excused_that_another_version_served_beside_it():
    beside, outage = counted(*[(600, 0)] * 5, first=-5), counted(*[(60, 30)] * 5, first=-5)
    house = rooms(Metrics(new=NEW, previous=(*OLD, *beside), sibling0=outage))
    assessment, failing, _ = measured(house, suspected(), (CART,), NOW)

    assert (assessment.convicts_beside, failing) == (True, ("cart",))
