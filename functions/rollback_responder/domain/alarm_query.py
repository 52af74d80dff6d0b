"""A question as the alarm that wakes the responder: the same series as are read at run time."""

from typing import assert_never

from msgspec import Struct

from rollback_responder.domain.metric import PERIOD_SECONDS, Level, Question, Series, Share


class AlarmQuery(Struct, frozen=True, kw_only=True):
    """What a trigger's alarm watches: one series, metric math over several, or a band about one.

    With `band_width` the alarm fires above the band, else above `threshold`.
    """

    series: tuple[Series, ...]
    expression: str | None
    label: str
    period_seconds: int
    evaluation_periods: int
    datapoints_to_alarm: int
    threshold: float | None
    band_width: float | None
    ignores_low_samples: bool


def alarm_query(question: Question) -> AlarmQuery:
    """What a trigger's alarm watches: the same series as are read at run time.

    A minute without enough requests counts as zero percent: the alarm only wakes the responder,
    and a rate of one request is not a rate. CloudWatch's low-sample rule exists for percentiles
    on a single series only, so the latency alarm watches the series itself.
    """
    match question:
        case Share():
            by_count = question.more_than is not None
            return AlarmQuery(
                series=(question.bad,) if by_count else question.series,
                expression=None if by_count else _share_of(question),
                label=f"{question.noun} in percent",
                # A count is of the whole window, so the window is the alarm's one period.
                period_seconds=PERIOD_SECONDS * (question.minutes if by_count else 1),
                evaluation_periods=1 if by_count else question.minutes,
                datapoints_to_alarm=question.breaching_minutes,
                threshold=question.more_than if by_count else question.threshold_percent,
                band_width=None,
                ignores_low_samples=False,
            )
        case Level():
            return AlarmQuery(
                series=(question.value,),
                expression=None,
                label=f"{question.noun}{question.unit}",
                period_seconds=PERIOD_SECONDS,
                evaluation_periods=question.minutes,
                datapoints_to_alarm=question.breaching_minutes,
                threshold=None if question.alarm_band else question.threshold,
                band_width=question.alarm_band,
                # Of a single series only: CloudFormation takes it with no list of metrics.
                ignores_low_samples=(
                    question.alarm_band is None and question.value.statistic.startswith("p")
                ),
            )
        case _:
            assert_never(question)


def band_of(series_id: str, width: float) -> str:
    """The expression of CloudWatch's band about a series (CloudWatch user guide, metric math)."""
    return f"ANOMALY_DETECTION_BAND({series_id}, {width:.15g})"


def _share_of(question: Share) -> str:
    """The share in percent, as metric math; absent counts are zero where the whole is known."""
    floor = question.minimum_requests_a_minute
    if len(question.whole) == 1:
        (one,) = question.whole
        whole = one.id
    else:
        whole = "(" + " + ".join(f"FILL({one.id}, 0)" for one in question.whole) + ")"
    return f"IF({whole} >= {floor}, 100 * FILL({question.bad.id}, 0) / {whole}, 0)"
