"""What people are told: the headline never lies, and every state and reason has its words."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rollback_responder.domain.assessment import Assessment
from rollback_responder.domain.incident import State
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.release import Origin
from rollback_responder.notifiers.headline import headline
from rollback_responder.notifiers.message import ICONS, message_of, reply
from rollback_responder.notifiers.words import WORDS
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    STACK,
    TARGET,
    a_leg,
    a_moved_leg,
    a_release,
    a_rolled_back_incident,
    a_trial,
    an_incident,
    evidence,
)

ACCOUNT, REGION = "111122223333", "us-east-1"


def told(incident):
    return message_of(incident, account_id=ACCOUNT, region=REGION)


STOPPED = a_leg(state=LegState.UNDER_WAY, title="deployment d-1")
FOLLOWED = a_leg(STACK, How.FOLLOW, LegState.BACK, title="the update of stack shop")
TO_MOVE = a_moved_leg(state=LegState.TO_DO, at=None)
CANCELLED = a_leg(STACK, How.STOP, LegState.TO_DO, title="the update of stack shop")


def a_rollout_incident(*more, legs=(STOPPED,), reason=Reason.METRIC_BREACHING, **changes):
    given = {"acted_at": NOW, "legs": legs, "to_version": "1"}
    return an_incident((State.ROLLING_BACK, reason), *more, **(given | changes))


def test_where_both_versions_fail_a_person_is_told_how_to_roll_back_all_the_same():
    both = Reason.BOTH_VERSIONS_FAIL
    for state in (State.UNDECIDED, State.STOOD_DOWN):
        wanted = told(an_incident((state, both))).next_step
        assert wanted.startswith(WORDS[both].next_step)
        assert wanted.endswith(" To roll it back all the same: `rollback now shop`.")
    other = told(an_incident((State.STOOD_DOWN, Reason.METRIC_HEALTHY))).next_step
    assert "rollback now" not in other


def test_who_approved_it_is_a_fact_of_its_own():
    approved = a_rolled_back_incident(approved_by="ann (U1)")

    assert ("Approved", "by ann (U1)") in told(approved).facts
    assert "Approved" not in dict(told(a_rolled_back_incident()).facts)


HEADLINES = [
    (
        a_rolled_back_incident((State.UNDOING, Reason.UNDO_ORDERED)),
        "shop rolled back v2 → v1, and a person wants it undone",
    ),
    (
        a_rolled_back_incident(
            (State.UNDOING, Reason.UNDO_ORDERED),
            (State.UNDONE, Reason.UNDONE, "bob put shop:live back to version 2"),
        ),
        "shop rolled back v2 → v1, and a person undid it",
    ),
    (
        a_rolled_back_incident(
            (State.UNDOING, Reason.UNDO_ORDERED), (State.UNKNOWN, Reason.UNDO_FAILED)
        ),
        "shop rolled back v2 → v1, but the rollback could not be undone",
    ),
    (
        an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)),
        "shop: not rolled back yet: there is too little evidence",
    ),
    (
        an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR)),
        "shop: an attempt to roll back was made: AWS gave no clear answer to the rollback",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.ACTION_UNCLEAR)),
        "shop: did not roll back: AWS gave no clear answer to the rollback",
    ),
    (a_rolled_back_incident(), "shop rolled back v2 → v1, watching whether it helps"),
    (
        a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)),
        "shop rolled back v2 → v1, the symptom is gone 1 min later",
    ),
    (
        a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS)),
        "shop rolled back v2 → v1, but the symptom is still there",
    ),
    (
        a_rolled_back_incident((State.UNKNOWN, Reason.MOVED_AGAIN)),
        "shop rolled back v2 → v1, but the alias is not where the rollback put it",
    ),
    (
        an_incident((State.INDETERMINATE, Reason.RESULT_UNKNOWN)),
        "shop: an attempt may or may not have rolled it back",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.COOLDOWN)),
        "shop: did not roll back: the last rollback here was a moment ago",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE), to_version="1", legs=a_trial().legs),
        "shop: would have rolled back v2 → v1; the mode is observe",
    ),
    (a_rolled_back_incident(release=None), "shop rolled back v? → v1, watching whether it helps"),
    (a_rollout_incident(), "shop: rolling back deployment d-1"),
    (a_rollout_incident(legs=(STOPPED, FOLLOWED)), "shop: rolling back deployment d-1"),
    (a_rollout_incident(legs=(FOLLOWED,)), "shop: rolling back the update of stack shop"),
    (a_rollout_incident(legs=(STOPPED, CANCELLED)), "shop: rolling back a change of 2 parts"),
    (
        a_rollout_incident(legs=(replace(STOPPED, how=How.REDEPLOY),)),
        "shop: rolling back v2 → v1",
    ),
    (
        a_rollout_incident((State.ROLLING_BACK, Reason.ROLLBACK_STUCK)),
        "shop: rolling back deployment d-1: the rollback itself failed",
    ),
    (
        a_rollout_incident((State.WATCHING, Reason.ALL_BACK)),
        "shop rolled back deployment d-1, watching whether it helps",
    ),
    (
        a_rollout_incident((State.INCOMPLETE, Reason.FINISHED_ANYWAY)),
        "shop not rolled back: the change finished in spite of the rollback",
    ),
    (
        a_rollout_incident(
            (State.INCOMPLETE, Reason.ROLLBACK_INCOMPLETE), legs=(STOPPED, FOLLOWED)
        ),
        "shop rolled back in part, 1 of 2 parts: not everything could be rolled back",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.PAUSED), legs=(CANCELLED,)),
        "shop: would have rolled back the update of stack shop; the responder is paused",
    ),
    (
        an_incident((State.ASKING, Reason.APPROVAL_NEEDED), legs=(TO_MOVE,), to_version="1"),
        "shop: roll back v2 → v1? A person decides",
    ),
]

TO_BE_ASKED = an_incident(
    (State.ASKING, Reason.FROZEN, "the freeze 'the sale' is on"),
    legs=(TO_MOVE,),
    to_version="1",
    asks_until_at=NOW + timedelta(minutes=60),
)


def test_a_question_says_what_a_yes_would_do_until_when_and_how():
    message = told(TO_BE_ASKED)

    assert message.done == (
        "Nothing yet: the freeze 'the sale' is on. With a yes it will move shop:live v2 → v1."
    )
    assert message.stands == (
        "Waiting for a yes until 22 Nov 05:00:00 UTC; without one nothing is done."
    )
    assert message.next_step == (
        "Approve the rollback, or hold it."
        " By command: `rollback approve inc-1`, or `rollback hold inc-1`."
    )
    assert message.pages


def test_a_question_without_an_end_is_still_a_question():
    assert told(replace(TO_BE_ASKED, asks_until_at=None)).stands == "Waiting for a yes."


@pytest.mark.parametrize(("incident", "text"), HEADLINES, ids=lambda value: str(value)[:60])
def test_headlines(incident, text):
    assert headline(incident) == text


def test_every_state_has_a_headline_above():
    assert {incident.state for incident, _ in HEADLINES} == set(State) == set(ICONS)


DID = ("Moved shop:live", "Stopped", "Cancelled", "Began to deploy", "Deployed", "Followed")


@pytest.mark.parametrize("incident", [incident for incident, _ in HEADLINES])
def test_only_what_was_done_is_said_to_have_been_done(incident):
    message = told(incident)

    assert message.done.startswith(DID) is bool(incident.acted_at)
    assert ("shop rolled back" in message.headline) is (
        bool(incident.acted_at)
        and incident.state is not State.ROLLING_BACK
        and (incident.state is not State.INCOMPLETE or incident.leg_counts()[0] > 0)
    )
    assert len(message.done.splitlines()) == len(incident.legs) or not incident.acted_at


@pytest.mark.parametrize("state", LegState)
@pytest.mark.parametrize(
    ("how", "target", "did", "would"),
    [
        (How.MOVE, TARGET, "Moved shop:live v2 → v1 at ", "moved shop:live v2 → v1"),
        (How.STOP, GROUP, "Stopped x: ", "stopped x"),
        (How.STOP, STACK, "Cancelled x: ", "cancelled x"),
        (
            How.REDEPLOY,
            GROUP,
            "Began to deploy version 1 again: ",
            "deployed version 1 again through shop/live",
        ),
        (How.FOLLOW, STACK, "Followed x: ", "followed x"),
    ],
)
def test_each_leg_is_told_with_how_and_where_it_stands(how, target, did, would, state):
    leg = a_leg(target, how, state, title="x")
    done = told(a_rollout_incident(legs=(leg,))).done
    unstamped = told(a_rollout_incident(legs=(replace(leg, at=None),))).done
    observed = an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE), legs=(leg,), to_version="1")

    # Of what was not told yet, never told, or told in vain, nothing is said to have been done.
    if how is How.STOP and state not in {LegState.UNDER_WAY, LegState.BACK}:
        did = "X: "
    if how is How.REDEPLOY and state is LegState.FAILED:
        did = "Tried to deploy version 1 again, and that failed"
    if how is How.REDEPLOY and state is LegState.BACK:
        did = "Deployed version 1 again ("
    assert done.startswith(did)
    stamped = how is How.MOVE or state is not LegState.TO_DO
    assert ("22 Nov 04:00:00 UTC" in done) is stamped
    assert ("22 Nov 04:00:00 UTC" in unstamped) is stamped
    assert told(observed).done == f"Nothing. It would have {would}."


@pytest.mark.parametrize(
    "incident",
    [
        an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR)),
        an_incident((State.INDETERMINATE, Reason.RESULT_UNKNOWN)),
    ],
)
def test_what_may_have_been_moved_is_never_said_to_be_nothing(incident):
    assert told(incident).done.startswith("An attempt was made")


PLAIN_ENGLISH = {Reason.ORDERED, Reason.PAUSED}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_that_need_no_glossary(reason):
    words = WORDS[reason]

    assert 5 < len(words.said) < 60
    assert "_" not in words.said
    assert reason.value not in words.said or reason in PLAIN_ENGLISH


@pytest.mark.parametrize("reason", Reason)
def test_who_is_paged_is_told_what_to_do(reason):
    message = told(an_incident((State.STOOD_DOWN, reason)))

    assert not message.pages or message.next_step.endswith(".")


def test_the_facts_are_those_of_the_incident():
    facts = dict(told(a_rolled_back_incident()).facts)

    assert facts == {
        "Service": "shop (prod)",
        "Severity": "high",
        "Alarm": "rollback.prod.shop.shop.live.error-rate, fired at 22 Nov 03:58:00 UTC",
        "Deploy": "version 2, deployed, first seen 22 Nov 03:55:00 UTC",
    }
    assert "Deploy" not in dict(told(a_rolled_back_incident(release=None)).facts)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("build 811 by ann", " (build 811 by ann)"),
        ("build\n*Severity*\r\nlow", " (build *Severity* low)"),
        (" \n", ""),
    ],
)
def test_what_a_publisher_wrote_of_a_version_passes_for_no_fact_of_ours(about, said):
    facts = dict(told(a_rolled_back_incident(release=a_release(about=about))).facts)

    assert facts["Deploy"] == f"version 2{said}, deployed, first seen 22 Nov 03:55:00 UTC"


def test_the_evidence_is_told_for_both_versions():
    assessment = Assessment(new=evidence(text="40 %"), previous=evidence(Verdict.HEALTHY, "0 %"))

    assert told(a_rolled_back_incident(assessment=assessment)).happened == (
        "Version 2: 40 %.\nThe version before: 0 %."
    )
    alone = replace(assessment, previous=None)
    assert told(a_rolled_back_incident(assessment=alone)).happened == "Version 2: 40 %."
    assert told(a_rolled_back_incident()).happened == (
        "The alarm rollback.prod.shop.shop.live.error-rate fired."
    )


def test_where_it_stands_and_what_comes_next():
    watching = told(a_rolled_back_incident())
    undecided = told(an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)))

    assert watching.stands == (
        "Back since 22 Nov 04:00:00 UTC. It counts as fixed once healthy for 3 min; if it is not"
        " within 15 min, a person is called."
    )
    assert watching.next_step == "Nothing yet: the outcome follows here."
    assert undecided.stands == "Open since 22 Nov 04:00:00 UTC; judged again each minute."
    assert (
        undecided.next_step
        == "Nothing yet, unless you know better; if it stays so, you are called."
    )


def test_whoever_is_called_on_the_way_back_is_told_what_to_do():
    going = told(a_rollout_incident())
    stuck = told(a_rollout_incident((State.ROLLING_BACK, Reason.ROLLBACK_STUCK, "run: this")))

    assert going.next_step == "Nothing yet: the outcome follows here."
    assert not going.pages
    assert stuck.next_step == WORDS[Reason.ROLLBACK_STUCK].next_step
    assert stuck.pages
    assert "run: this" in stuck.stands


def test_the_command_stays_in_sight_when_aws_refused_to_continue():
    stuck = (State.ROLLING_BACK, Reason.ROLLBACK_STUCK, "failed. run: this")
    refused = (State.ROLLING_BACK, Reason.ROLLBACK_STUCK, "AWS refused")
    again = told(a_rollout_incident(stuck, refused, stuck))
    back = told(a_rollout_incident(stuck, (State.ROLLING_BACK, Reason.LEG_BACK, "one is back")))

    assert again.stands.startswith("Under way. At 22 Nov 04:03:00 UTC: failed. run: this. AWS ref")
    assert back.stands.startswith("Under way. At 22 Nov 04:02:00 UTC: one is back.")


def test_each_target_has_its_link_once():
    legs = (STOPPED, STOPPED, FOLLOWED)
    links = told(a_rollout_incident(legs=legs, target=TARGET)).links

    assert [link.label for link in links] == [
        "Alarm",
        "Function",
        "Logs",
        "Deployments of live",
        "Stack shop",
    ]
    assert all(link.url.startswith("https://us-east-1.console.aws.amazon.com/") for link in links)


def test_a_page_only_where_a_person_is_needed():
    assert told(a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS))).pages
    assert not told(a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE))).pages
    assert not told(a_rolled_back_incident()).pages


def test_links_hold_nothing_that_ends_or_parts_them():
    incident = an_incident((State.STOOD_DOWN, Reason.COOLDOWN), alarm_name="a|b>c <d> \n/é ~'*")

    for link in told(incident).links:
        assert link.url.startswith("https://us-east-1.console.aws.amazon.com/")
        assert not set("|<> \n'\"") & set(link.url.replace("~'", ""))


def test_a_step_is_told_with_its_time_and_its_numbers():
    step = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE, "3 requests")).steps[0]

    assert reply(step) == "04:00:00 UTC · there is too little evidence: 3 requests"


@pytest.mark.parametrize(("after", "text"), [(0, "1 min"), (3, "3 min"), (14, "14 min")])
def test_how_long_it_took(after, text):
    incident = a_rolled_back_incident().step(
        NOW + after * MINUTE, State.FIXED, Reason.SYMPTOM_GONE, "x"
    )
    assert headline(incident).endswith(f" {text} later")


@pytest.mark.parametrize(
    ("release", "what"),
    [
        (a_release("2"), "version 2"),
        # The alias is where it leads to already, or there is none.
        (a_release("1", origin=Origin.ROLLED_BACK), "a newer version"),
        (None, "a newer version"),
    ],
)
@pytest.mark.parametrize("state", [LegState.UNDER_WAY, LegState.FAILED])
def test_of_somebody_elses_deployment_no_credit_is_taken(release, what, state):
    incident = a_rollout_incident(
        legs=(replace(STOPPED, how=How.REDEPLOY, state=state),),
        reason=Reason.ROLLBACK_ADOPTED,
        release=release,
        to_version=None,
    )

    assert headline(incident) == f"shop: {what} is being rolled back already, followed from here"
    assert told(incident).done.startswith("Followed deployment d-1, which leads back: ")


# -- what a person ordered ------------------------------------------------------------------------

MOVED_BY_ORDER = {"ordered_by": "ann", "order_at": NOW}
ORDERED_STORIES = [
    (
        a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE, "so"), **MOVED_BY_ORDER),
        "shop rolled back v2 → v1 as ann ordered, and is healthy",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.TARGET_CHANGED, "so"), **MOVED_BY_ORDER),
        "shop: did not roll back as ann ordered: ",
    ),
    (
        a_rolled_back_incident(**MOVED_BY_ORDER, drill=True),
        "Drill of shop: rolled back v2 → v1, and forward again in a minute",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.TARGET_CHANGED, "so"), **MOVED_BY_ORDER, drill=True),
        "Drill of shop failed: ",
    ),
]


@pytest.mark.parametrize(("incident", "said"), ORDERED_STORIES)
def test_what_a_person_ordered_is_told_as_their_doing(incident, said):
    message = message_of(incident, account_id="1", region="r")

    assert message.headline.startswith(said)
    assert ("Ordered", "by ann, 22 Nov 04:00:00 UTC") in message.facts
    assert "Alarm" not in dict(message.facts)
    assert {button.action for button in message.buttons} <= {"undo"}


@pytest.mark.parametrize(
    ("state", "reason", "command"),
    [
        (State.STOOD_DOWN, Reason.HELD, "`rollback now shop`"),
        (State.UNDECIDED, Reason.FIX_FORWARD, "`rollback fix-forward shop --end`"),
    ],
)
def test_what_people_chose_says_what_is_theirs_and_how_to_choose_otherwise(state, reason, command):
    message = told(an_incident((state, reason)))

    assert message.next_step.startswith(WORDS[reason].next_step)
    assert command in message.next_step
