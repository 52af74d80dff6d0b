"""A report's numbers are the journal's, whatever the incident; and nothing foreign acts in it.

The incidents are drawn, written as the journal writes them, and read again from that text alone:
the report is held against the JSON, never against the code that made it.
"""

import html
import json
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_responder.cli.markdown import escaped, markdown_of
from rollback_responder.cli.page import TONES, page_of
from rollback_responder.cli.report import report_of
from rollback_responder.cli.screen import clock
from rollback_responder.domain.incident import OPEN, TRANSITIONS, State
from rollback_responder.domain.judging import Verdict
from rollback_responder.domain.leg import How, LegState
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.said import Said
from rollback_responder.domain.trigger import ErrorRate
from rollback_responder.journal.codec import decode_incident, encode
from tests.builders import (
    GROUP,
    NOW,
    STACK,
    TARGET,
    a_leg,
    a_release,
    an_assessment,
    an_incident,
    evidence,
)

SECONDS = st.integers(0, 100_000).map(lambda seconds: timedelta(seconds=seconds))
# What the journal can hold: texts without a line of their own, hostile ones with preference.
TEXTS = st.one_of(
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "| a | b |",
            "[x](javascript:alert(1))",
            "![x](https://example.com/x.png)",
            "# no title",
            "5 % > 3 % & `code` *bold* _it_ ~~no~~",
            "1. not a list",
            "</style></td>",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40),
)
LEGS = st.lists(
    st.builds(
        a_leg,
        st.sampled_from([TARGET, GROUP, STACK]),
        st.sampled_from(How),
        st.sampled_from(LegState),
        title=TEXTS,
    ),
    max_size=3,
)


@st.composite
def incidents(draw):
    """Any incident that the journal could hold: legal states, instants in order or not."""
    instant = st.builds(lambda after: NOW + after, SECONDS)
    fired_at = NOW - draw(SECONDS)
    acted_at = draw(st.none() | instant)
    service = draw(st.sampled_from(["shop", "a_b", "a-b"]))
    incident = an_incident(
        service=service,
        trigger=ErrorRate(threshold_percent=5),
        alarm_name=draw(TEXTS),
        alarm_since_at=fired_at,
        early=draw(st.booleans()),
        release=draw(st.none() | st.just(a_release())),
        legs=tuple(draw(LEGS)),
        to_version="1",
        acted_at=acted_at,
        back_at=draw(instant) if acted_at else None,
        assessment=draw(
            st.none()
            | st.builds(
                an_assessment,
                st.sampled_from(Verdict),
                previous=st.none() | st.builds(evidence, st.sampled_from(Verdict), TEXTS),
            )
        ),
    )
    # Only what was rolled back from is gone back to, what is back is watched, and an alias moves at
    # once.
    never = {
        State.UNDOING: incident.release is None,
        State.WATCHING: incident.back_at is None,
        State.ROLLING_BACK: any(leg.target == TARGET and not leg.is_over for leg in incident.legs),
    }
    at, state = NOW, None
    for _ in range(draw(st.integers(1, 6))):
        following = [each for each in sorted(TRANSITIONS[state]) if not never.get(each)]
        if not following:
            break
        state, at = draw(st.sampled_from(following)), at + draw(SECONDS)
        incident = incident.step(at, state, draw(st.sampled_from(Reason)), draw(TEXTS))
    return incident


def journaled(incident):
    """The incident as whoever reads the journal gets it, and the JSON itself."""
    text = encode(incident)
    return decode_incident(text), json.loads(text)


def took(since, until):
    """Minutes between two instants of the JSON, as a report writes them."""
    if not since or not until:
        return "-"
    seconds = (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    return f"{round(seconds / 60, 1):.1f} min"


def wanted_figures(document):
    fired = None if document.get("early") else document["alarm_since_at"]
    acted, last = document.get("acted_at"), document["steps"][-1]
    recovered = next((step["at"] for step in document["steps"] if step["state"] == "fixed"), None)
    ended = None if State(last["state"]) in OPEN else last["at"]
    return {
        "Alarm to action": took(fired, acted),
        "Action to everything back": took(acted, document.get("back_at")),
        "Action to recovery": took(acted, recovered),
        "Alarm to recovery": took(fired, recovered),
        "First look to the end": took(document["opened_at"], ended),
    }


def wanted_instants(document):
    found = [document["alarm_since_at"], document["opened_at"], document.get("back_at")]
    found += [step["at"] for step in document["steps"]]
    found += [document["release"]["since_at"]] if "release" in document else []
    instants = sorted(datetime.fromisoformat(text) for text in found if text)
    return [f"{instant:%Y-%m-%d %H:%M:%S} UTC" for instant in instants]


def plain(markdown):
    """A cell of Markdown as its reader sees it."""
    return re.sub(r"\\([^\w\s]|_)", r"\1", markdown)


def markdown_tables(text):
    """Each section's table, as pairs."""
    found, title = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("| ") and not line.startswith("|---"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.setdefault(title, []).append(tuple(plain(cell).strip() for cell in cells))
    return {title: pairs[1:] for title, pairs in found.items()}


class Page(HTMLParser):
    """What a browser would make of the page: tags, addresses, tables, boxes, texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.rows, self.boxes = [], [], [], {}
        self.stack, self.words, self.heading = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [(tag, name, value) for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img"}:
            self.stack.append(tag)
        if tag == "tr":
            self.rows.append([self.heading])

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        inside = self.stack[-1] if self.stack else ""
        if inside == "h2":
            self.heading = data
        elif inside in {"th", "td"}:
            self.rows[-1].append(data)
        elif inside == "b":
            self.box = data
        elif inside == "span":
            self.boxes[data] = self.box

    def table(self, heading):
        return [tuple(row[1:]) for row in self.rows if row[0] == heading]


@given(incidents())
def test_the_figures_are_the_journals_in_both_forms(incident):
    incident, document = journaled(incident)
    report = report_of(incident)
    wanted = wanted_figures(document)

    assert dict(markdown_tables(markdown_of(report))["Figures"]) == wanted
    assert Page(page_of(report)).boxes == wanted


@given(incidents())
def test_the_timeline_has_every_instant_and_every_step_in_order(incident):
    incident, document = journaled(incident)
    report = report_of(incident)
    texts = [" ".join(step["text"].split()) for step in document["steps"]]
    rows = markdown_tables(markdown_of(report))["Timeline"]

    assert [when for when, _ in rows] == wanted_instants(document)
    remaining = iter(what for _, what in rows)
    assert all(any(text in what for what in remaining) for text in texts)
    on_page = Page(page_of(report)).table("Timeline")
    assert [when for when, _ in on_page] == wanted_instants(document)
    for step in document["steps"]:
        assert any(step["text"] in what for _, what in on_page)


@given(incidents(), TEXTS)
def test_who_said_what_stands_in_the_timeline_and_foreign_text_stays_text(incident, name):
    at = NOW + timedelta(days=3650)
    said = Said(at=at, by=name, text=f"{name} approved the rollback", incident_id=incident.id)
    page = Page(page_of(report_of(incident, said=[said])))

    when, what = page.table("Timeline")[-1]
    assert when == clock(at)
    assert what == f"a person said: {said.text}"


@given(incidents())
def test_the_evidence_is_the_journals(incident):
    incident, document = journaled(incident)
    assessment = document.get("assessment")
    rows = dict(Page(page_of(report_of(incident))).table("Evidence"))
    if assessment is None:
        assert rows == {}
        return
    for name, side in (("New version", "new"), ("Version before", "previous")):
        if side in assessment:
            verdict = assessment[side]["verdict"].replace("_", " ")
            assert rows[name] == f"{verdict}: {assessment[side]['text']}"
        else:
            assert name not in rows
    assert "Compared with" in rows


@given(incidents(), st.none() | st.binary(min_size=1, max_size=50))
def test_the_page_loads_nothing_and_foreign_text_stays_text(incident, picture):
    report = report_of(incident, account_id="111122223333", region="eu-west-1")
    text = page_of(report, picture)
    page = Page(text)

    assert page.stack == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert ("img" in page.tags) is (picture is not None)
    for tag, _, address in page.addresses:
        assert address.startswith("data:image/png;base64," if tag == "img" else "https://")
        assert tag in {"img", "a"}
    assert "default-src 'none'" in text
    assert "url(" not in text.partition("</style>")[0]
    assert "@import" not in text
    assert html.escape(incident.alarm_name) in text


@given(incidents())
def test_markdown_renders_no_image_link_or_tag_of_foreign_text(incident):
    text = markdown_of(report_of(incident))

    assert not re.search(r"(?<!\\)!(?=\[)", text)
    assert not re.search(r"(?<!\\)<(?!/?$)", text)
    assert re.findall(r"(?<!\\)\[(.)", text) == [" "] * len(report_of(incident).questions)


@given(TEXTS)
def test_escaped_text_reads_as_it_was(text):
    assert plain(escaped(text)) == text


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_tone(state):
    assert TONES[state] in {"good", "bad", "doubt", "calm"}


@pytest.mark.parametrize(
    "reason", [Reason.INCONCLUSIVE, Reason.METRIC_HEALTHY, Reason.UNMEASURABLE]
)
def test_where_the_trigger_was_in_doubt_it_is_asked_about(reason):
    incident = an_incident((State.STOOD_DOWN, reason))

    assert any("threshold" in question for question in report_of(incident).questions)
