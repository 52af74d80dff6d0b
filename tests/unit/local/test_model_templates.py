"""Alarm definitions out of CloudFormation templates."""

import pytest

from local.aws_model import alarms_from_template
from local.aws_model.alarm_book import Account
from local.aws_model.alarms_from_template import TemplateError

ACCOUNT = Account(id="123456789012")
PLAIN = {
    "AlarmName": "plain",
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "Resource", "Value": {"Fn::Join": [":", ["shop", "live"]]}}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": [{"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:t"}],
}


def template(kind="Alarm", **properties):
    return {"Resources": {"It": {"Type": f"AWS::CloudWatch::{kind}", "Properties": properties}}}


def test_a_plain_alarm():
    (alarm,) = alarms_from_template.read(template(**PLAIN), account=ACCOUNT)
    assert alarm.stat.metric.dimensions == (("Resource", "shop:live"),)
    assert alarm.actions.alarm == ("arn:aws:sns:us-east-1:123456789012:t",)
    assert (alarm.needed, alarm.evaluation_periods, alarm.threshold) == (2, 3, 1.0)


def test_metric_math_and_a_composite_that_refers_to_it():
    shared = ("EvaluationPeriods", "Threshold", "ComparisonOperator")
    body = template(
        **{key: PLAIN[key] for key in shared},
        Metrics=[
            {"Id": "rate", "Expression": "100 * e / i", "Label": "Error rate"},
            *(
                {
                    "Id": name[0].lower(),
                    "MetricStat": {
                        "Metric": {"Namespace": "AWS/Lambda", "MetricName": name},
                        "Period": 60,
                        "Stat": "Sum",
                    },
                    "ReturnData": False,
                }
                for name in ("Errors", "Invocations")
            ),
        ],
    )
    body["Resources"]["Any"] = {
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "Properties": {
            "AlarmName": "any",
            "AlarmRule": {"Fn::Join": ["", ['ALARM("', {"Fn::GetAtt": ["It", "Arn"]}, '")']]},
            "ActionsSuppressor": {"Ref": "It"},
            "ActionsSuppressorWaitPeriod": 60,
            "ActionsSuppressorExtensionPeriod": 120,
            "AlarmActions": [{"Fn::ImportValue": "Stack:Topic"}],
        },
    }
    exports = {"Stack:Topic": "arn:aws:sns:us-east-1:123456789012:t"}
    rate, both = alarms_from_template.read(body, account=ACCOUNT, exports=exports)
    assert rate.name == "It"
    assert rate.metrics[0].expression == "100 * e / i"
    assert both.rule == 'ALARM("arn:aws:cloudwatch:us-east-1:123456789012:alarm:It")'
    assert both.suppressor.alarm == "It"
    assert both.actions.alarm == ("arn:aws:sns:us-east-1:123456789012:t",)


def banded(**changes):
    metrics = [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Lambda", "MetricName": "Invocations"},
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": True,
        },
        {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)", "ReturnData": True},
    ]
    properties = {
        "Metrics": metrics,
        "EvaluationPeriods": 3,
        "ComparisonOperator": "LessThanLowerThreshold",
        "ThresholdMetricId": "ad1",
    }
    return template(**(properties | changes))


def test_an_alarm_on_a_band_and_the_detector_beside_it():
    body = banded()
    body["Resources"]["Detector"] = {
        "Type": "AWS::CloudWatch::AnomalyDetector",
        "Properties": {"MetricName": {"Ref": "Unknown"}},
    }
    (alarm,) = alarms_from_template.read(body, account=ACCOUNT)
    assert (alarm.threshold, alarm.threshold_metric_id) == (None, "ad1")
    assert alarm.metrics[1].band.width == 2.0


@pytest.mark.parametrize(
    "changes",
    [{"Threshold": 1}, {"ThresholdMetricId": "m1"}, {"ComparisonOperator": "LessThanThreshold"}],
)
def test_a_band_that_does_not_fit_its_alarm_is_named(changes):
    with pytest.raises(TemplateError, match="It: ModelError"):
        alarms_from_template.read(banded(**changes), account=ACCOUNT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AlarmActions": [{"Ref": "Topic"}]}, r"It.AlarmActions.0: cannot resolve Ref of 'Topic'"),
        ({"AlarmName": {"Ref": "X"}}, "It.AlarmName"),
        ({"Threshold": {"Fn::GetAtt": ["X", "Y"]}}, "It.Threshold"),
        ({"EvaluationWindow": "x"}, "It: properties that are not modelled: EvaluationWindow"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "It: ModelError"),
        ({"Statistic": "TM(10%:90%)"}, "It: ModelError"),
    ],
)
def test_what_cannot_be_read_is_named(change, words):
    with pytest.raises(TemplateError, match=words):
        alarms_from_template.read(template(**(PLAIN | change)), account=ACCOUNT)
