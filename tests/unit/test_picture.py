"""What a picture of an incident shows, and the same in words."""

import pytest
from msgspec.structs import replace

from rollback_responder.domain.incident import State
from rollback_responder.domain.measurement import Measurement
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import record
from rollback_responder.domain.release import Origin
from rollback_responder.domain.trigger import Anomaly, ErrorRate, MetricName
from rollback_responder.notifiers.picture import (
    LONGEST_WORDS,
    Event,
    Tone,
    number_text,
    picture_title,
    picture_words,
    plot_of,
    png_of,
    svg_of,
)
from tests.builders import (
    GROUP,
    MINUTE,
    NOW,
    TARGET,
    a_leg,
    a_release,
    a_rolled_back_incident,
    an_assessment,
    an_incident,
    counted,
    leveled,
)

ERRORS = question_of(ErrorRate(threshold_percent=5), TARGET)
DEPLOYED_AT = NOW - 5 * MINUTE
GOOD, BAD = (60, 0), (60, 30)


def recorded(total, new=(), previous=(), **changes):
    """Minutes from twenty before the rollback."""
    measurement = Measurement(
        since_at=NOW - 60 * MINUTE, read_at=NOW, total=total, new=new, previous=previous
    )
    given = {"changed_at": DEPLOYED_AT, "new_version": "2", "previous_version": "1"} | changes
    return record(ERRORS, measurement, **given)


def rolled_back(minutes, *more, after=(GOOD, GOOD, GOOD), **changes):
    later = counted(*after)
    minutes = minutes.completed(ERRORS, later, NOW + len(later) * MINUTE)
    return a_rolled_back_incident(*more, minutes=minutes, **changes)


FIXED = rolled_back(
    recorded(
        counted(*[GOOD] * 15, *[BAD] * 5, first=-20),
        new=counted(*[BAD] * 5, first=-5),
        previous=counted(*[GOOD] * 15, first=-20),
    ),
    (State.FIXED, Reason.SYMPTOM_GONE),
)


def lines_of(incident):
    return {
        (line.tone, line.name): [round((point.at - NOW) / MINUTE) for point in line.points]
        for line in plot_of(incident).lines
    }


def marks_of(incident):
    return [(mark.event, mark.text) for mark in plot_of(incident).marks]


def test_the_version_before_goes_on_where_all_traffic_is_its_own_again():
    assert lines_of(FIXED) == {
        (Tone.OLD, "v1"): [*range(-20, -5), 0, 1, 2],
        (Tone.NEW, "v2"): [-5, -4, -3, -2, -1],
    }


@pytest.mark.parametrize("reason", [Reason.MOVED_AGAIN, Reason.WRONG_VERSION])
def test_what_serves_after_somebody_moved_on_is_not_taken_for_the_version_before(reason):
    incident = replace(FIXED, steps=FIXED.steps[:1]).step(NOW, State.UNKNOWN, reason, "x")

    assert lines_of(incident)[Tone.OLD, "v1"] == list(range(-20, -5))


@pytest.mark.parametrize("origin", [Origin.ROLLED_BACK, Origin.PUT_BACK])
def test_what_came_back_was_not_deployed(origin):
    incident = replace(FIXED, release=a_release(origin=origin))

    assert marks_of(incident)[0] == (Event.DEPLOY, "v2 live")


def test_a_version_that_is_not_told_apart_any_more_has_all_traffic():
    """CloudWatch may tell versions apart only while both serve (assumption A4)."""
    minutes = recorded(
        counted(*[GOOD] * 15, *[BAD] * 5, first=-20),
        new=counted(BAD, BAD, first=-5),
        previous=counted(GOOD, first=-5),
    )

    assert lines_of(rolled_back(minutes))[Tone.NEW, "v2"] == [-5, -4, -3, -2, -1]


def test_while_both_serve_nothing_of_all_traffic_is_taken_for_one_of_them():
    minutes = recorded(
        counted(*[GOOD] * 20, first=-20),
        new=counted(BAD, BAD, first=-5),
        previous=counted(GOOD, GOOD, GOOD, first=-5),
    )
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes)

    assert lines_of(incident) == {(Tone.OLD, "v1"): [-5, -4, -3], (Tone.NEW, "v2"): [-5, -4]}


def test_of_a_version_before_that_was_not_measured_all_traffic_tells():
    minutes = recorded(
        counted(*[GOOD] * 15, *[BAD] * 5, first=-20),
        new=counted(*[BAD] * 5, first=-5),
        previous_version=None,
    )
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes)

    assert lines_of(incident)[Tone.OLD, "before"] == list(range(-20, -5))


def test_a_minute_that_both_served_is_nobodys():
    incident = replace(FIXED, back_at=NOW + MINUTE / 2)

    assert lines_of(incident)[Tone.OLD, "v1"] == [*range(-20, -5), 1, 2]


def test_what_nobody_tells_apart_is_one_line():
    incident = rolled_back(recorded(counted(*[GOOD] * 20, first=-20)))

    assert lines_of(incident) == {(Tone.ALL, "all traffic"): list(range(-20, 3))}


def test_fifteen_minutes_before_the_deploy_are_shown():
    minutes = recorded(counted(*[GOOD] * 60, first=-60))
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes)
    long_ago = replace(incident, minutes=replace(minutes, changed_at=NOW - 5000 * MINUTE))

    assert plot_of(incident).since_at == NOW - 20 * MINUTE
    assert plot_of(long_ago).since_at == NOW - 60 * MINUTE
    assert Event.DEPLOY not in [mark.event for mark in plot_of(long_ago).marks]


def test_everything_that_happened_is_marked():
    assert marks_of(FIXED) == [
        (Event.DEPLOY, "v2 deployed"),
        (Event.ALARM, "alarm"),
        (Event.BACK, "rolled back"),
        (Event.OUTCOME, "healthy again"),
    ]


def test_the_deploy_is_where_it_was_measured_not_where_it_was_seen():
    measured_at = DEPLOYED_AT - MINUTE
    judged = replace(an_assessment(), served_since_at=measured_at)
    unsure = replace(judged, served_before=True)

    assert plot_of(replace(FIXED, assessment=judged)).marks[0].at == measured_at
    assert plot_of(replace(FIXED, assessment=unsure)).marks[0].at == DEPLOYED_AT


def test_a_question_and_a_long_way_back_are_marked():
    minutes = recorded(counted(*[GOOD] * 20, first=-20))
    asked = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes, early=True)
    under_way = an_incident(
        (State.ROLLING_BACK, Reason.METRIC_BREACHING),
        minutes=minutes, acted_at=NOW, legs=(a_leg(GROUP),),
    )  # fmt: skip
    back = replace(under_way, back_at=NOW + 2 * MINUTE)

    assert (Event.ASKED, "you are asked") in marks_of(asked)
    assert (Event.ALARM, "judged") in marks_of(asked)
    assert marks_of(under_way)[-1] == (Event.ACT, "rollback began")
    assert marks_of(back)[-1] == (Event.BACK, "all back")


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (State.NOT_FIXED, Reason.SYMPTOM_REMAINS, "still bad"),
        (State.UNKNOWN, Reason.NOT_ENOUGH_DATA, "outcome unknown"),
    ],
)
def test_no_outcome_is_prettier_than_it_was(state, reason, text):
    incident = rolled_back(recorded(counted(*[GOOD] * 20, first=-20)), (state, reason))

    assert marks_of(incident)[-1] == (Event.OUTCOME, text)


def test_the_words_say_what_the_picture_shows():
    assert picture_title(FIXED) == "shop: error rate, 03:40 to 04:03 UTC"
    assert picture_words(FIXED) == (
        "Chart of shop: error rate, 03:40 to 04:03 UTC on 22 Nov 2026. Limit 5 %."
        " v1: 0 % throughout. v2: 50 % throughout."
        " 03:55:00: v2 deployed. 03:58:00: alarm. 04:00:00: rolled back. 04:01:00: healthy again."
    )


def test_numbers_that_vary_are_told_by_their_range_and_end():
    incident = rolled_back(recorded(counted(GOOD, BAD, (60, 6), first=-3)), after=())

    assert "all traffic: from 0 % to 50 %, 10 % at the end." in picture_words(incident)


def test_the_words_stay_within_slacks_limit():
    service = "s" * 1200

    assert len(picture_words(replace(FIXED, service=service))) == LONGEST_WORDS


def test_a_band_is_told_in_the_words_of_its_alarm():
    metric = MetricName(namespace="Shop", name="Orders")
    question = question_of(Anomaly(name="orders", metric=metric, band_width=2), TARGET)
    total = leveled(1.0, 9.0, first=-2, limit=4.0)
    minutes = record(question, Measurement(since_at=NOW, read_at=NOW, total=total))
    incident = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes)

    assert "Limit: orders above CloudWatch's band of 2 deviations." in picture_words(incident)
    assert [point.limit for point in plot_of(incident).lines[0].points] == [4.0, 4.0]


def test_without_a_release_it_is_the_new_one():
    minutes = recorded(
        counted(*[BAD] * 5, first=-5), new=counted(*[BAD] * 5, first=-5), new_version=None
    )
    bare = an_incident((State.ASKING, Reason.APPROVAL_NEEDED), minutes=minutes, release=None)
    known = replace(bare, release=a_release("7"))

    assert marks_of(bare)[0] == (Event.DEPLOY, "new deployed")
    assert marks_of(known)[0] == (Event.DEPLOY, "v7 deployed")


@pytest.mark.parametrize("make", [plot_of, picture_words, picture_title, png_of, svg_of])
def test_where_nothing_was_measured_there_is_no_picture(make):
    assert make(a_rolled_back_incident()) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 ms"),
        (0.04567, "0.0457 ms"),
        (99.94, "99.9 ms"),
        (1234.5, "1,234 ms"),
        (12_345, "12.3k ms"),
    ],
)
def test_a_number_has_three_digits_or_is_whole(number, text):
    assert number_text(number, " ms") == text


def test_where_a_person_ordered_it_no_alarm_is_marked():
    marks = [mark.event for mark in plot_of(replace(FIXED, ordered_by="ann")).marks]

    assert Event.ALARM not in marks
    assert Event.ALARM in [mark.event for mark in plot_of(FIXED).marks]
