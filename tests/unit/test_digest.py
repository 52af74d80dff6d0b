"""A week in words: golden messages, and what never may be missing from them."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.figures import summary
from rollback_responder.domain.incident import OPEN, State
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.week import WEEK, StillOn, Week
from rollback_responder.notifiers.digest import ENDINGS, digest_of
from rollback_responder.notifiers.words import WORDS
from tests.builders import MINUTE, NOW, a_rolled_back_incident, an_incident

FIXED = a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE))
NOT_FIXED = a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS))
HOURS = timedelta(hours=1)


def a_week(*incidents, labels=None, **changes):
    numbered = [replace(each, id=f"inc-{n}") for n, each in enumerate(incidents, start=1)]
    given = {
        "environment": "prod",
        "since_at": NOW - WEEK,
        "until_at": NOW,
        "services": 12,
        "summary": summary(numbered, labels or {}),
        "beats": 10_080,
    }
    return Week(**(given | changes))


def told(week):
    digest = digest_of(week, account_id="111122223333", region="eu-west-1")
    return digest.headline, dict(digest.parts)


def stood_down(reason):
    return an_incident((State.STOOD_DOWN, reason))


def test_a_quiet_week_says_so_and_that_somebody_looked():
    digest = digest_of(a_week(), account_id="111122223333", region="eu-west-1")

    assert digest.headline == "A quiet week in prod: nothing was rolled back, nothing is open"
    assert digest.parts == (
        ("The responder itself", "12 services watched, every minute of the week."),
    )
    assert digest.footer == (
        "Sun 15 Nov 04:00 UTC to Sun 22 Nov 04:00 UTC · account 111122223333 · eu-west-1"
    )


def test_a_busy_week_is_told_in_full():
    week = a_week(
        FIXED,
        replace(FIXED, alarm_since_at=NOW - 40 * MINUTE),
        NOT_FIXED,
        stood_down(Reason.COOLDOWN),
        stood_down(Reason.COOLDOWN),
        stood_down(Reason.METRIC_HEALTHY),
        stood_down(Reason.NO_PROVEN_RELEASE),
        stood_down(Reason.NO_RECENT_CHANGE),
        labels={"inc-1": True, "inc-3": False},
        open=(
            an_incident(
                (State.ASKING, Reason.APPROVAL_NEEDED), opened_at=NOW - 30 * HOURS, id="inc-9"
            ),
        ),
        paused_by="anna",
        still_on=(
            StillOn(service="cart", text="fixed forward", by="bob", until_at=NOW + HOURS),
            StillOn(service="mail", text="any version unsafe to roll back (a migration)", by="ci"),
        ),
        beats=10_075,
    )

    assert told(week) == (
        "The week in prod: 3 rollbacks, 2 of which helped; 1 still open; paused",
        {
            "Still open": f"• shop: {WORDS[Reason.APPROVAL_NEEDED].said}, for 30 h (inc-9)",
            "Still on": "• Everything is paused by anna; nothing is rolled back until a resume\n"
            "• cart: fixed forward, says bob, until Sun 22 Nov 05:00 UTC\n"
            "• mail: any version unsafe to roll back (a migration), says ci, until it is taken"
            " back",
            "Rollbacks": "2 helped, 1 did not help (target: over 95 % help).\n"
            "From the alarm until all was back: 15 min on average, half within 2 min, at most"
            " 40 min (target: under 15 min).\n"
            "Until it was proved to have helped: 22 min on average, half within 3 min, at most"
            " 41 min.",
            "Left alone": "5 alarms judged, nothing done:\n"
            f"• 2: {WORDS[Reason.COOLDOWN].said} (cooldown)\n"
            f"• 1: {WORDS[Reason.METRIC_HEALTHY].said} (metric_healthy)\n"
            f"• 1: {WORDS[Reason.NO_PROVEN_RELEASE].said} (no_proven_release)\n"
            "• 1 for other reasons",
            "What you said of them": "1 false of 2 labelled (target: under 5 %)."
            " 1 rollback nobody has labelled yet: was it right?",
            "Targets missed": "• success over 95 %\n• false rollbacks under 5 %",
            "The responder itself": "12 services watched, in 10,075 of 10,080 minutes;"
            " 5 were missed.",
        },
    )


def test_one_of_each_is_told_in_the_singular():
    headline, parts = told(a_week(FIXED, stood_down(Reason.COOLDOWN), services=1))

    assert headline == "The week in prod: 1 rollback, all of which helped"
    assert parts["Left alone"].startswith("1 alarm judged")
    assert parts["The responder itself"].startswith("1 service watched")
    assert "2 min on average (target: under 15 min)" in parts["Rollbacks"]


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"paused_by": "anna"}, "The week in prod: no rollback; paused"),
        ({"unreadable": ("shop: odd",)}, "The week in prod: no rollback"),
        ({"still_on": (StillOn(service="a", text="b", by="c"),)}, "The week in prod: no rollback"),
    ],
)
def test_a_week_in_which_something_is_held_back_is_not_called_quiet(changes, headline):
    assert told(a_week(**changes))[0] == headline


def test_of_many_the_longest_tenth_is_left_to_the_journal():
    spans = [replace(FIXED, alarm_since_at=NOW - minutes * MINUTE) for minutes in range(1, 21)]

    assert "half within 10 min, nine of ten within 18 min" in told(a_week(*spans))[1]["Rollbacks"]


def test_what_could_not_be_read_is_said():
    _, parts = told(a_week(beats=None, unreadable=("shop: a row's incident is not JSON",)))

    assert parts["The responder itself"].endswith("how often it looked could not be read.")
    assert parts["Could not be read"] == "• shop: a row's incident is not JSON"


def test_a_rollback_of_somebody_elses_is_no_credit():
    begun = an_incident(
        (State.ROLLING_BACK, Reason.ROLLBACK_ADOPTED),
        (State.WATCHING, Reason.ALL_BACK),
        (State.FIXED, Reason.SYMPTOM_GONE),
        acted_at=NOW,
        back_at=NOW,
    )
    headline, parts = told(a_week(begun))

    assert headline == "The week in prod: no rollback"
    assert parts["Rollbacks"] == "1 rollback of somebody else's followed."


def test_a_long_list_is_cut_and_counted():
    still = (StillOn(service="a", text="b", by="c"),) * 14
    _, parts = told(a_week(still_on=still))

    assert parts["Still on"].count("\n") == 10
    assert parts["Still on"].endswith("• and 4 more")


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (MINUTE / 3, "under a minute"),
        (119 * MINUTE, "119 min"),
        (47 * HOURS, "47 h"),
        (50 * HOURS, "2 days"),
    ],
)
def test_ages_are_said_as_people_say_them(age, said):
    waiting = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE), opened_at=NOW - age)

    assert f", for {said} (" in told(a_week(open=(waiting,)))[1]["Still open"]


def test_every_way_to_end_has_words():
    assert set(ENDINGS) == set(State) - OPEN - {State.STOOD_DOWN}
