"""How often the watcher looked: the heartbeat that it leaves in CloudWatch each minute."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import naming
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.pages import pages

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# One datapoint an hour: a week fits into one answer, and hours are kept for 455 days.
PERIOD_SECONDS = 3600


class CloudWatchPulse:
    """The heartbeat of one environment's watcher."""

    def __init__(self, client: "CloudWatchClient", environment: str) -> None:
        self._client = client
        self._service = naming.metrics_service(environment)

    def beats(self, since_at: datetime, now: datetime) -> int:
        """See `Pulse.beats`. One GetMetricData call."""
        try:
            asking = partial(
                self._client.get_metric_data,
                MetricDataQueries=[
                    {
                        "Id": "beats",
                        "MetricStat": {
                            "Metric": {
                                "Namespace": naming.METRICS_NAMESPACE,
                                "MetricName": naming.HEARTBEAT,
                                "Dimensions": [{"Name": "service", "Value": self._service}],
                            },
                            "Period": PERIOD_SECONDS,
                            "Stat": "Sum",
                        },
                    }
                ],
                StartTime=since_at,
                EndTime=now,
            )
            found = [result for page in pages(asking) for result in page["MetricDataResults"]]
        except AwsError as error:
            raise MeasurementError(f"GetMetricData: {name_of(error)}") from error
        return round(sum(sum(result["Values"]) for result in found))
