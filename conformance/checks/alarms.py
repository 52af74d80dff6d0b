"""How CloudWatch tells of alarms."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.lab import Lab
from conformance.making import Json, Queue
from conformance.things import Kind, Thing
from rollback_responder.metrics.cloudwatch import CloudWatchMetrics

QUIET_SECONDS = 90.0
MUTED = "an alarm mute rule for an hour, "


class Heard(NamedTuple):
    """Two alarms: one that nothing holds back, and one that something does."""

    plain: str
    plain_at: Queue
    silent: str
    silent_at: Queue


def mute(lab: Lab, suffix: str, alarm: str) -> str:
    """A mute rule for an hour from now on, in force; returns its name."""
    name = lab.name(suffix)
    lab.owe(Thing(Kind.MUTE_RULE, name))
    cloudwatch = lab.clients("cloudwatch")
    cloudwatch.put_alarm_mute_rule(
        Name=name,
        Rule={
            "Schedule": {
                "Expression": f"at({lab.wall() + timedelta(minutes=1):%Y-%m-%dT%H:%M})",
                "Duration": "PT1H",
            }
        },
        MuteTargets={"AlarmNames": [alarm]},
        Tags=lab.tag_list(),
    )

    def active() -> bool | None:
        shown = cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=name)
        return shown["Status"] == "ACTIVE" or None

    lab.until("the mute rule is in force", active, seconds=240)
    return name


def insist(lab: Lab, alarm: str, at: Queue) -> Json:
    """Sets an alarm until it is heard of: a new rule takes a while to hold."""

    def look() -> Json | None:
        making.fire(lab, alarm, "OK")
        making.fire(lab, alarm)
        while found := making.maybe(lab, at, seconds=15, what=alarm):
            if _value(found) == "ALARM":
                return found
        return None

    return lab.until(f"the alarm {alarm} is heard of", look, seconds=180)


def _value(told: Json) -> str:
    return str(told.get("NewStateValue") or told["detail"]["state"]["value"])


class _HeldBack(Check[Heard]):
    assumes = "EventBridge still reports alarms with disabled or muted actions (A11)"
    meanwhile = "`ActionsEnabled`, suppression and mute rules are read on every path"
    minutes = 8

    def observe(self, lab: Lab, made: Heard) -> Seen:
        insist(lab, made.plain, made.plain_at)
        making.fire(lab, made.silent)
        found = making.maybe(lab, made.silent_at, seconds=QUIET_SECONDS, what=made.silent)
        return {"plain_was_reported": True, "silent_was_reported": found is not None}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["silent_was_reported"])


class DisabledIsReported(_HeldBack):
    """A11, the first half."""

    key = "A11-disabled"
    source = 'CloudWatch guide, "Alarm events and EventBridge": events by default, without actions.'
    does = "An alarm with ActionsEnabled=false is set to ALARM beside one with actions."
    makes = "two alarms, two EventBridge rules, two queues"

    def create(self, lab: Lab) -> Heard:
        plain = making.alarm(lab, "a11d-plain")
        silent = making.alarm(lab, "a11d-silent", enabled=False)
        at = making.told(lab, "a11d-plain-q", plain)
        return Heard(plain, at, silent, making.told(lab, "a11d-silent-q", silent))


class MutedIsReported(_HeldBack):
    """A11, the second half."""

    key = "A11-muted"
    source = 'CloudWatch guide, "How alarm mute rules work"; that events go on is inferred.'
    does = "An alarm that a rule mutes is set to ALARM beside one that none does."
    makes = f"{MUTED}two alarms, two EventBridge rules, two queues"
    minutes = 12

    def create(self, lab: Lab) -> Heard:
        plain = making.alarm(lab, "a11m-plain")
        silent = making.alarm(lab, "a11m-silent")
        at = making.told(lab, "a11m-plain-q", plain)
        silent_at = making.told(lab, "a11m-silent-q", silent)
        mute(lab, "a11m-mute", silent)
        return Heard(plain, at, silent, silent_at)


class MuteRulesAreRead(Check[tuple[str, str, str]]):
    """The product's own reading, of a rule in force and of none."""

    key = "mute-rules"
    assumes = "ListAlarmMuteRules tells active rules by ARN, and GetAlarmMuteRule whom one mutes"
    source = "SDK model, ListAlarmMuteRules and GetAlarmMuteRule; their answers were never seen."
    does = "A rule mutes one of two alarms; the responder's own reading is asked for both."
    meanwhile = "an error is in doubt: hold, and page; a wrong answer would go unnoticed"
    makes = f"{MUTED}two alarms"
    minutes = 6

    def create(self, lab: Lab) -> tuple[str, str, str]:
        muted, other = making.alarm(lab, "mute-one"), making.alarm(lab, "mute-other")
        return muted, other, mute(lab, "mute-rule", muted)

    def observe(self, lab: Lab, made: tuple[str, str, str]) -> Seen:
        muted, other, rule = made
        metrics = CloudWatchMetrics(lab.clients("cloudwatch"))
        return {
            "rule": rule,
            "muted_by": metrics.muted_by(muted),
            "other_muted_by": metrics.muted_by(other),
            "of_both": sorted(dict(metrics.muted([muted, other])).items()),
            "muted": muted,
        }

    def tell(self, seen: Seen) -> Verdict:
        one = seen["muted_by"] == seen["rule"] and seen["other_muted_by"] is None
        both = [tuple(pair) for pair in seen["of_both"]]
        return verdict(holds=one and both == [(seen["muted"], seen["rule"])])


def topic_policy(lab: Lab, topic_arn: str, alarm_prefix: str) -> Json:
    """What `infra/topics.py` gives the responder's topic; a test holds the two equal."""
    account = lab.account
    source = account.arn_of("cloudwatch", f"alarm:{alarm_prefix}*")
    common = {"Action": "sns:Publish", "Resource": topic_arn}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowPublishThroughSSLOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                **common,
            },
            {
                "Sid": "OnlyAlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account.id},
                    "ArnLike": {"aws:SourceArn": source},
                },
                **common,
            },
            {
                "Sid": "NobodyElse",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Condition": {"Bool": {"aws:PrincipalIsAWSService": "false"}},
                **common,
            },
        ],
    }


class TopicTakesAlarmsOnly(Check[tuple[str, str, Queue]]):
    """A13."""

    key = "A13"
    assumes = "a topic policy that denies everybody but AWS services works as meant"
    source = "IAM user guide, aws:PrincipalIsAWSService; a topic of that policy was never seen."
    does = "An alarm publishes to a topic with the responder's policy, and so do these credentials."
    meanwhile = "the alarm is read again anyway"
    makes = "an alarm, a topic, a queue"
    minutes = 6

    def create(self, lab: Lab) -> tuple[str, str, Queue]:
        topic = making.topic(lab, "a13-topic")
        document = topic_policy(lab, topic, lab.name("a13"))
        lab.clients("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(document)
        )
        at = making.heard(lab, "a13-queue", topic)
        return topic, making.alarm(lab, "a13-alarm", actions=[topic]), at

    def observe(self, lab: Lab, made: tuple[str, str, Queue]) -> Seen:
        topic, alarm, at = made
        making.fire(lab, alarm)
        found = making.maybe(lab, at, seconds=QUIET_SECONDS, what=alarm)
        sns = lab.clients("sns")
        own = making.answer(lambda: sns.publish(TopicArn=topic, Message='{"forged": true}'))
        return {"alarm_was_let_in": found is not None, "own_publish": own}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["alarm_was_let_in"] and seen["own_publish"] in making.DENIED)


class BothWays(NamedTuple):
    """An alarm, and where its message and its event come."""

    alarm: str
    message_at: Queue
    event_at: Queue


class SameInstant(Check[BothWays]):
    """A18."""

    key = "A18"
    assumes = "SNS and EventBridge carry the same instant"
    source = "Both have the instant of the transition; that it is the same one is not said."
    does = "One transition is read on both ways, and their instants are compared."
    meanwhile = "not needed: an incident is keyed on target and release"
    makes = "an alarm, a topic, an EventBridge rule, two queues"
    minutes = 8

    def create(self, lab: Lab) -> BothWays:
        topic = making.topic(lab, "a18-topic")
        at = making.heard(lab, "a18-message", topic)
        alarm = making.alarm(lab, "a18-alarm", actions=[topic])
        return BothWays(alarm, at, making.told(lab, "a18-event", alarm))

    def observe(self, lab: Lab, made: BothWays) -> Seen:
        event = insist(lab, made.alarm, made.event_at)
        instant = event["detail"]["state"]["timestamp"]
        messages = []
        while found := making.maybe(lab, made.message_at, seconds=20, what=made.alarm):
            messages.append(found["StateChangeTime"])
        return {"event": instant, "messages": messages}

    def tell(self, seen: Seen) -> Verdict:
        if not seen["messages"]:
            return Verdict.NOT_TOLD
        told = {datetime.fromisoformat(text) for text in seen["messages"]}
        return verdict(holds=datetime.fromisoformat(seen["event"]) in told)


class CompositeMessage(Check[tuple[str, str, Queue]]):
    """A12."""

    key = "A12"
    assumes = (
        "an SNS message of a composite alarm names it by `AlarmArn`, and has no `Trigger` (A12)"
    )
    source = "CloudWatch guide, SNS schemas; they and public samples disagree on the children."
    does = "A composite alarm with a topic follows its child; the message is kept."
    meanwhile = "the parser is lenient; an alarm is known by `AlarmArn` alone"
    makes = "an alarm, a composite alarm, a topic, a queue"
    minutes = 6

    def create(self, lab: Lab) -> tuple[str, str, Queue]:
        topic = making.topic(lab, "a12-topic")
        at = making.heard(lab, "a12-queue", topic)
        child = making.alarm(lab, "a12-child")
        return child, making.composite(lab, "a12-parent", child, actions=[topic]), at

    def observe(self, lab: Lab, made: tuple[str, str, Queue]) -> Seen:
        child, parent, at = made
        making.fire(lab, child)
        found = making.message(lab, at, seconds=180, what=parent)
        children = [type(one).__name__ for one in found.get("TriggeringChildren", [])]
        arn = lab.account.arn_of("cloudwatch", f"alarm:{parent}")
        return {
            "members": sorted(found),
            "children": sorted(set(children)),
            "named": found.get("AlarmArn") == arn,
        }

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=seen["named"] and "Trigger" not in seen["members"])


class ForgedSource(Check[None]):
    """A19."""

    key = "A19"
    assumes = "PutEvents refuses an event whose source begins with `aws.` (A19)"
    source = "EventBridge guide, a naming rule; the error is not documented."
    does = "One event is sent with the source aws.cloudwatch, of a kind that nobody waits for."
    meanwhile = "the rule also asks for the account, and the alarm is read again"
    makes = "nothing"
    minutes = 1
    cents = 0

    def create(self, lab: Lab) -> None:
        pass

    def observe(self, lab: Lab, made: None) -> Seen:  # noqa: ARG002 - it made nothing
        event = {"Source": "aws.cloudwatch", "DetailType": lab.name("forged"), "Detail": "{}"}
        try:
            answer: Mapping[str, Any] = lab.clients("events").put_events(Entries=[event])
        except ClientError as error:
            if making.passing(error):
                raise
            return {"refused_by": making.code_of(error)}
        return {"refused_by": answer["Entries"][0].get("ErrorCode", "")}

    def tell(self, seen: Seen) -> Verdict:
        return verdict(holds=bool(seen["refused_by"]))


class NarrowDescribe(Check[tuple[str, str]]):
    """A23."""

    key = "A23"
    assumes = (
        "`DescribeAlarms` granted on names leaves composite alarms out, without an error (A23)"
    )
    source = "SDK model, DescribeAlarms: granted on `*` to return composite alarms."
    does = "A role that may describe alarms of the run's name asks for an alarm and a composite."
    meanwhile = "granted on `*`; a composite alarm that is missing is in doubt, not deleted"
    makes = "an alarm, a composite alarm, a role"
    minutes = 5

    def create(self, lab: Lab) -> tuple[str, str]:
        child = making.alarm(lab, "a23-child")
        return child, making.composite(lab, "a23-parent", child)

    def observe(self, lab: Lab, made: tuple[str, str]) -> Seen:
        names = lab.account.arn_of("cloudwatch", f"alarm:{lab.name('a23')}*")
        narrow = making.acting(
            lab, "a23-narrow", making.allow(["cloudwatch:DescribeAlarms"], names)
        )("cloudwatch")

        def ask() -> Mapping[str, Any]:
            found: Mapping[str, Any] = narrow.describe_alarms(
                AlarmNames=list(made), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            return found

        came = making.permitted(lab, ask)
        shown = ask() if came == "done" else {}
        return {
            "answer": came,
            "metric_alarms": len(shown.get("MetricAlarms", [])),
            "composite_alarms": len(shown.get("CompositeAlarms", [])),
        }

    def tell(self, seen: Seen) -> Verdict:
        found = (seen["answer"], seen["metric_alarms"], seen["composite_alarms"])
        return verdict(holds=found == ("done", 1, 0))
