"""List prices of us-east-1 in US dollars: a reader's copy, to be checked at the page it names.

No discount, no free tier. All pages are below https://aws.amazon.com/.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """So many dollars for so many of a unit."""

    usd: float
    per: float
    unit: str
    source: str

    def of(self, amount: float) -> float:
        """What that much costs."""
        return self.usd * amount / self.per


LAMBDA, CLOUDWATCH = "lambda/pricing", "cloudwatch/pricing"
DYNAMODB, SQS = "dynamodb/pricing/on-demand", "sqs/pricing"

PRICES = {
    "lambda_request": Price(usd=0.20, per=1e6, unit="requests", source=LAMBDA),
    # Arm, as infra/function.py deploys it.
    "lambda_gb_second": Price(usd=0.0000133334, per=1, unit="GB-seconds, arm64", source=LAMBDA),
    "dynamodb_read": Price(usd=0.125, per=1e6, unit="read request units", source=DYNAMODB),
    "dynamodb_write": Price(usd=0.625, per=1e6, unit="write request units", source=DYNAMODB),
    "cloudwatch_request": Price(usd=0.01, per=1e3, unit="requests", source=CLOUDWATCH),
    "cloudwatch_metric_read": Price(
        usd=0.01, per=1e3, unit="metrics asked of GetMetricData", source=CLOUDWATCH
    ),
    "alarm_metric": Price(usd=0.10, per=1, unit="metrics of alarms, a month", source=CLOUDWATCH),
    "custom_metric": Price(usd=0.30, per=1, unit="metrics, a month", source=CLOUDWATCH),
    "dashboard": Price(usd=3.00, per=1, unit="dashboards, a month", source=CLOUDWATCH),
    "sqs_request": Price(usd=0.40, per=1e6, unit="requests, standard", source=SQS),
    "secret": Price(usd=0.40, per=1, unit="secrets, a month", source="secrets-manager/pricing"),
    "secret_request": Price(usd=0.05, per=1e4, unit="requests", source="secrets-manager/pricing"),
}
# Free on these ways: EventBridge's own events and schedules (eventbridge/pricing), SNS to SQS and
# to Lambda (sns/pricing), Lambda's reads of a DynamoDB stream (dynamodb/pricing/on-demand), and
# the control plane of Lambda, which has no price.

MINUTES_A_MONTH = 730 * 60
# Lambda developer guide, "Using Lambda with Amazon SQS": five pollers, each waits twenty seconds.
EMPTY_RECEIVES_A_MINUTE = 5 * 60 // 20
