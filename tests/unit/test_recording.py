"""What the journal keeps of the minutes that were judged, and of those after the way back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.errors import RowDamaged
from rollback_responder.domain.incident import State
from rollback_responder.domain.measurement import Bucket, Measurement
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.recording import LATEST_MINUTE, Scale, Track, record
from rollback_responder.domain.trigger import (
    Anomaly,
    Api,
    ApiErrorCount,
    ApiType,
    DeadLetters,
    ErrorRate,
    Latency,
    LatencyTimesNormal,
    MetricName,
)
from rollback_responder.domain.verification import last_recorded, with_aftermath
from rollback_responder.journal.codec import decode_incident, encode
from tests.builders import (
    MINUTE,
    NOW,
    TARGET,
    a_release,
    a_rolled_back_incident,
    an_incident,
    counted,
    leveled,
)

ERRORS = question_of(ErrorRate(threshold_percent=5), TARGET)
API = Api(type=ApiType.REST, name="shop")
COUNT = question_of(ApiErrorCount(api=API, more_than=6, minutes=3), TARGET)
LATENCY = question_of(Latency(statistic="p95", threshold_ms=300), TARGET)
TIMES = question_of(LatencyTimesNormal(statistic="p95", times=3), TARGET)
BAND = question_of(
    Anomaly(name="orders", metric=MetricName(namespace="Shop", name="Orders"), band_width=2), TARGET
)
DEAD = question_of(DeadLetters(queue="dead"), None)
# A minute of ten million requests with seven digits of milliseconds.
LONGEST_MINUTE = 10_000_000


def measured(total=(), new=(), previous=(), since=-60):
    return Measurement(
        since_at=NOW + since * MINUTE, read_at=NOW, total=total, new=new, previous=previous
    )


def numbers(recording, track):
    return [(round((p.at - NOW) / MINUTE), p.number) for p in recording.points(track)]


def test_a_share_is_kept_as_counts_and_read_as_a_percentage():
    kept = record(ERRORS, measured(counted((60, 0), (40, 10), first=-2)))

    assert (kept.scale, kept.threshold, kept.unit) == (Scale.PERCENT, 5, " %")
    assert kept.said == "error rate above 5 %"
    assert (kept.total.requests, kept.total.errors, kept.total.values) == ((60, 40), (0, 10), ())
    assert numbers(kept, kept.total) == [(-2, 0.0), (-1, 25.0)]


@pytest.mark.parametrize(
    "changes",
    [
        {"minutes": (0,)},
        {"minutes": (0, -1)},
        {"minutes": (0, 10**9)},
        {"requests": (60,)},
        {"requests": (60, 0)},
        {"errors": ()},
        {"limits": (1.0,)},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_together_are_not_whole(changes):
    kept = record(ERRORS, measured(counted((60, 0), (40, 10), first=-2)))

    assert kept.is_whole
    assert not replace(kept, total=replace(kept.total, **changes)).is_whole
    assert not replace(kept, previous=replace(kept.total, **changes)).is_whole
    with pytest.raises(RowDamaged, match="minutes that are not whole"):
        decode_incident(
            encode(
                an_incident(
                    (State.UNDECIDED, Reason.INCONCLUSIVE),
                    minutes=replace(kept, total=replace(kept.total, **changes)),
                )
            )
        )


@pytest.mark.parametrize(
    "track",
    [
        Track(minutes=(0,), requests=(1,), errors=(0,)),
        Track(minutes=(LATEST_MINUTE,), requests=(1,), errors=(1,)),
        Track(minutes=(0, 1), requests=(9, 9), errors=(0, 0), limits=(1.0, 1.0)),
        Track(minutes=(), requests=()),
    ],
)
def test_columns_that_fit_are_whole(track):
    assert track.is_whole(Scale.PERCENT)


def test_of_a_level_the_numbers_must_fit_and_counts_need_not_be():
    track = Track(minutes=(0,), requests=(1,), values=(2.0,))

    assert track.is_whole(Scale.LEVEL)
    assert not track.is_whole(Scale.COUNT)
    assert not replace(track, values=(), errors=(1,)).is_whole(Scale.LEVEL)


def test_each_version_is_whole_or_the_recording_is_not():
    kept = record(ERRORS, measured(counted((60, 0), first=-2)))
    odd = Track(minutes=(0,), requests=())

    assert replace(kept, new=kept.total, previous=kept.total).is_whole
    assert not replace(kept, new=odd).is_whole
    assert not replace(kept, previous=odd).is_whole


def test_the_numbers_of_a_level_are_kept_on_the_way_back_as_well():
    kept = record(LATENCY, measured(leveled(1.0, 2.0, first=-2)))
    later = kept.completed(LATENCY, leveled(5.0, 6.0, first=-1), NOW + MINUTE)

    assert later.total.values == (1.0, 5.0, 6.0)
    # From its first minute on.
    assert kept.completed(LATENCY, leveled(7.0, first=-2), NOW).total.values == (7.0,)


def test_a_count_is_held_to_a_minutes_part_of_its_limit():
    kept = record(COUNT, measured(counted((60, 0), (60, 9), first=-2)))

    assert (kept.scale, kept.threshold) == (Scale.COUNT, 2.0)
    assert numbers(kept, kept.total) == [(-2, 0), (-1, 9)]


@pytest.mark.parametrize(
    ("question", "judged", "line"),
    [(LATENCY, 7.0, 300), (TIMES, 360.0, 360.0), (TIMES, None, None), (DEAD, 1.0, 0)],
)
def test_a_level_keeps_its_numbers_and_what_they_were_held_to(question, judged, line):
    kept = record(question, measured(leveled(120.0, None, 480.5, first=-3)), threshold=judged)

    assert (kept.scale, kept.threshold) == (Scale.LEVEL, line)
    assert numbers(kept, kept.total) == [(-3, 120.0), (-1, 480.5)]


def test_a_band_is_each_minutes_own_limit():
    kept = record(BAND, measured(leveled(1.0, 9.0, first=-2, limit=4.0)), threshold=4.0)
    unlearned = record(BAND, measured((*leveled(1.0, first=-2), *leveled(9.0, first=-1, limit=4))))

    assert kept.threshold is None
    assert [point.limit for point in kept.points(kept.total)] == [4.0, 4.0]
    assert unlearned.total.limits == ()
    assert [point.limit for point in unlearned.points(unlearned.total)] == [None, None]


def test_the_versions_are_kept_apart_where_they_were_measured_apart():
    kept = record(
        ERRORS,
        measured(counted(*[(60, 6)] * 4, first=-4), new=counted((30, 6), (30, 6), first=-2)),
        changed_at=NOW - 2 * MINUTE,
        new_version="2",
        previous_version="1",
    )

    assert numbers(kept, kept.new) == [(-2, 20.0), (-1, 20.0)]
    assert kept.previous is None
    assert record(ERRORS, measured(counted((60, 6), first=-1))).new is None
    assert kept.points(None) == ()
    assert (kept.new_version, kept.previous_version) == ("2", "1")
    assert kept.changed_at == NOW - 2 * MINUTE


def test_what_was_not_there_before_now_is_no_change():
    assert record(ERRORS, measured(counted((60, 0), first=-1)), changed_at=NOW).changed_at is None


def test_nothing_measured_is_nothing_kept():
    assert record(ERRORS, measured()) is None
    assert record(ERRORS, measured(counted((60, 0), first=-61))) is None


def test_an_hour_is_kept_of_longer_ones():
    kept = record(ERRORS, measured(counted(*[(60, 0)] * 300, first=-300)))

    assert (kept.since_at, len(kept.total.minutes)) == (NOW - 60 * MINUTE, 60)


@given(st.lists(st.floats(min_value=0.01, max_value=1e9), min_size=1, max_size=20))
def test_a_number_is_kept_exactly_enough_for_any_picture(values):
    kept = record(LATENCY, measured(leveled(*values, first=-30)))

    assert kept.total.values == pytest.approx(values, rel=1e-5)


def test_the_longest_recording_is_a_small_part_of_a_row():
    """A DynamoDB item holds 400 KB; this is an hour of three series, verified for four hours."""
    buckets = tuple(
        Bucket(start_at=NOW + n * MINUTE, requests=LONGEST_MINUTE + n, errors=LONGEST_MINUTE)
        for n in range(-60, 0)
    )
    kept = record(ERRORS, measured(buckets, new=buckets, previous=buckets))
    hours = tuple(
        Bucket(start_at=NOW + n * MINUTE, requests=LONGEST_MINUTE, errors=LONGEST_MINUTE)
        for n in range(300)
    )
    incident = a_rolled_back_incident(
        minutes=kept.completed(ERRORS, hours, NOW + 300 * MINUTE), back_at=NOW + 60 * MINUTE
    )

    assert len(encode(incident)) < 15_000
    assert decode_incident(encode(incident)) == incident


def test_a_row_from_before_there_were_recordings_can_be_read():
    incident = an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))

    assert '"minutes":{' not in encode(incident)
    assert decode_incident(encode(incident)).minutes is None


# -- after the way back ---------------------------------------------------------------------------


def rolled_back(**changes):
    return a_rolled_back_incident(**({"back_at": NOW + MINUTE} | changes))


def test_the_minutes_since_are_added_and_what_was_incomplete_is_corrected():
    kept = record(ERRORS, measured(counted(*[(60, 6)] * 5, first=-5)))
    incident = rolled_back(minutes=kept)
    since_at = last_recorded(incident)
    read = counted((60, 6), (60, 9), (60, 6), (60, 0), (60, 0), first=-3)
    completed = with_aftermath(incident, ERRORS, read, NOW + 2 * MINUTE).minutes

    assert since_at == NOW - 3 * MINUTE
    assert [n for n, _ in numbers(completed, completed.total)] == list(range(-5, 2))
    assert completed.total.errors == (6, 6, 6, 9, 6, 0, 0)
    assert completed.read_at == NOW + 2 * MINUTE
    assert kept.completed(ERRORS, (), NOW) == kept


def test_of_a_long_way_back_its_last_hour_is_read():
    kept = record(ERRORS, measured(counted((60, 6), first=-1)))
    incident = rolled_back(minutes=kept, back_at=NOW + 180 * MINUTE)

    assert last_recorded(incident) == NOW + 120 * MINUTE


def test_of_a_rollback_that_was_never_judged_the_hour_before_is_read():
    incident = rolled_back(minutes=None)
    read = counted((60, 0), (60, 30), (60, 0), first=-5)
    known = with_aftermath(incident, ERRORS, read, NOW + 5 * MINUTE).minutes
    bare = with_aftermath(replace(incident, release=None), ERRORS, read, NOW + 5 * MINUTE).minutes

    assert last_recorded(incident) == NOW + MINUTE - timedelta(hours=1)
    assert known.changed_at == a_release().since_at
    assert (bare.changed_at, bare.total) == (None, known.total)


def test_a_band_that_was_not_learned_before_has_no_limit_after():
    kept = record(BAND, measured(leveled(1.0, first=-1)))
    known = record(BAND, measured(leveled(1.0, first=-1, limit=4.0)))
    after = leveled(2.0, first=0, limit=4.0)

    assert kept.completed(BAND, after, NOW + MINUTE).total.limits == ()
    assert known.completed(BAND, after, NOW + MINUTE).total.limits == (4.0, 4.0)
