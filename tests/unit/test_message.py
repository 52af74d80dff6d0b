"""What people are told: the headline never lies, and every state and reason has its words."""

from dataclasses import replace

import pytest

from rollback_responder.domain.assessment import Assessment, Verdict
from rollback_responder.domain.decision import Reason
from rollback_responder.domain.incident import State
from rollback_responder.notifiers.message import ICONS, headline, message_of, reply
from rollback_responder.notifiers.words import WORDS
from tests.builders import MINUTE, NOW, a_rolled_back_incident, an_incident, evidence

ACCOUNT, REGION = "111122223333", "us-east-1"


def told(incident):
    return message_of(incident, account_id=ACCOUNT, region=REGION)


HEADLINES = [
    (
        an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)),
        "shop: not rolled back yet: there is too little evidence",
    ),
    (
        an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR)),
        "shop: an attempt to roll back was made: AWS gave no clear answer to the move",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.ACTION_UNCLEAR)),
        "shop: did not roll back: AWS gave no clear answer to the move",
    ),
    (a_rolled_back_incident(), "shop rolled back v2 → v1, watching whether it helps"),
    (
        a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE)),
        "shop rolled back v2 → v1, the symptom is gone after 1 min",
    ),
    (
        a_rolled_back_incident((State.NOT_FIXED, Reason.SYMPTOM_REMAINS)),
        "shop rolled back v2 → v1, but the symptom is still there",
    ),
    (
        a_rolled_back_incident((State.UNKNOWN, Reason.MOVED_AGAIN)),
        "shop rolled back v2 → v1, but somebody moved the alias since",
    ),
    (
        an_incident((State.INDETERMINATE, Reason.RESULT_UNKNOWN)),
        "shop: an attempt may or may not have moved it",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.COOLDOWN)),
        "shop: did not roll back: the last rollback here was a moment ago",
    ),
    (
        an_incident((State.STOOD_DOWN, Reason.OBSERVE_MODE), to_version="1"),
        "shop: would have rolled back v2 → v1; the mode is observe",
    ),
    (a_rolled_back_incident(release=None), "shop rolled back v? → v1, watching whether it helps"),
]


@pytest.mark.parametrize(("incident", "text"), HEADLINES, ids=lambda value: str(value)[:60])
def test_headlines(incident, text):
    assert headline(incident) == text


def test_every_state_has_a_headline_above():
    assert {incident.state for incident, _ in HEADLINES} == set(State) == set(ICONS)


@pytest.mark.parametrize("incident", [incident for incident, _ in HEADLINES])
def test_only_what_was_moved_is_said_to_have_been_moved(incident):
    message = told(incident)

    assert message.done.startswith("Moved shop:live") is bool(incident.acted_at)
    assert ("rolled back v" in message.headline.replace("would have rolled back v", "")) is bool(
        incident.acted_at
    )


@pytest.mark.parametrize(
    "incident",
    [
        an_incident((State.UNDECIDED, Reason.ACTION_UNCLEAR)),
        an_incident((State.INDETERMINATE, Reason.RESULT_UNKNOWN)),
    ],
)
def test_what_may_have_been_moved_is_never_said_to_be_nothing(incident):
    assert told(incident).done.startswith("An attempt was made")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_that_need_no_glossary(reason):
    words = WORDS[reason]

    assert 5 < len(words.said) < 60
    assert reason.value not in words.said


@pytest.mark.parametrize("reason", Reason)
def test_who_is_paged_is_told_what_to_do(reason):
    message = told(an_incident((State.STOOD_DOWN, reason)))

    assert not message.pages or message.next_step.endswith(".")


def test_the_facts_are_those_of_the_incident():
    facts = dict(told(a_rolled_back_incident()).facts)

    assert facts == {
        "Service": "shop (prod)",
        "Severity": "high",
        "Alarm": "rollback.prod.shop.shop.live.error-rate, firing since 22 Nov 03:58:00 UTC",
        "Deploy": "version 2, deployed, first seen 22 Nov 03:55:00 UTC",
    }
    assert "Deploy" not in dict(told(a_rolled_back_incident(release=None)).facts)


def test_the_evidence_is_told_for_both_versions():
    assessment = Assessment(new=evidence(text="40 %"), previous=evidence(Verdict.HEALTHY, "0 %"))

    assert told(a_rolled_back_incident(assessment=assessment)).happened == (
        "Version 2: 40 %.\nThe version before: 0 %."
    )
    alone = replace(assessment, previous=None)
    assert told(a_rolled_back_incident(assessment=alone)).happened == "Version 2: 40 %."
    assert told(a_rolled_back_incident()).happened.startswith("The alarm rollback.prod")


def test_where_it_stands_and_what_comes_next():
    watching = told(a_rolled_back_incident())
    undecided = told(an_incident((State.UNDECIDED, Reason.INCONCLUSIVE)))

    assert "healthy for 3 min, for 15 min at most" in watching.stands
    assert watching.next_step == "Nothing yet: the outcome follows here."
    assert "looked at again each minute" in undecided.next_step


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
    assert headline(incident).endswith(f"after {text}")
