"""The watcher's heartbeat, read back from the strict model of CloudWatch."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from house import ACCOUNT, REGION, START
from local.aws_model.alarm_book import Account
from local.aws_model.clients import cloudwatch_client
from local.aws_model.cloudwatch import CloudWatch
from local.aws_model.metrics import Metric
from rollback_responder.domain import naming
from rollback_responder.domain.errors import MeasurementError
from rollback_responder.metrics.pulse import CloudWatchPulse

MINUTE = timedelta(minutes=1)


def test_every_beat_of_its_own_environment_is_counted():
    now = START + 300 * MINUTE
    cloudwatch = CloudWatch(account=Account(id=ACCOUNT, region=REGION), clock=lambda: now)
    for environment, every in (("test", 1), ("prod", 7)):
        metric = Metric.of(
            naming.METRICS_NAMESPACE,
            naming.HEARTBEAT,
            {"service": naming.metrics_service(environment)},
        )
        for minute in range(0, 300, every):
            cloudwatch.record(metric, timestamp=START + minute * MINUTE, value=1.0)
    pulse = CloudWatchPulse(cloudwatch_client(cloudwatch), "test")

    assert pulse.beats(START, now) == 300
    assert pulse.beats(START + 120 * MINUTE, START + 180 * MINUTE) == 60
    assert CloudWatchPulse(cloudwatch_client(cloudwatch), "other").beats(START, now) == 0


def test_a_heart_that_cannot_be_read_is_a_measurement_error():
    class Refusing:
        def get_metric_data(self, **_asked):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "secret"}}, "x")

    with pytest.raises(MeasurementError, match=r"GetMetricData: AccessDenied$"):
        CloudWatchPulse(Refusing(), "test").beats(START, START)
