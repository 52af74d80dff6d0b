"""Input: whatever may lie in the queue or reach `respond` directly, and the events of `watch`.

`expect` says what a message must come to: `outside` is parked, with nothing read and nothing
written; `ignored` asks for nothing; `open` may be read, and moves nothing where no alarm fires;
`acts` is a true message about a bad deploy, which is rolled back once amid the noise.
"""

import json

from scenarios import ERROR_RATE, LATENCY

from house import ACCOUNT, REGION
from rollback_responder.signals import wake
from tests.fuzz.checks import expect
from tests.fuzz.noise import expanded

NAME, SHARE = "envelopes", 0.36
OURS = (ERROR_RATE, LATENCY)
STALE = "2026-10-30T03:10:00.000+0000"
FUTURE = "2031-01-01T00:00:00.000+0000"
NOW = "2026-11-22T03:10:00.000+0000"
FOREIGN_ACCOUNTS = ("999999999999", "111122223334", "0111122223333", " 111122223333", "", "*")
FOREIGN_REGIONS = ("eu-west-1", "us-east-2", "US-EAST-1", "us-east-1 ", "", "*")


# -- the ways in ----------------------------------------------------------------------------------


def arn(name=ERROR_RATE, account=ACCOUNT, region=REGION):
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def message(noise, about, state="ALARM", at=NOW):
    """What an SNS action sends; its texts are anybody's."""
    return {
        "AlarmName": noise.text(),
        "AlarmDescription": noise.text(),
        "AWSAccountId": ACCOUNT,
        "NewStateValue": state,
        "NewStateReason": noise.text(),
        "StateChangeTime": at,
        "Region": "US East (N. Virginia)",
        "AlarmArn": about,
        "OldStateValue": "OK",
        "Trigger": {"MetricName": noise.text(), "Dimensions": [{"name": "FunctionName"}]},
    }


def by_sns(noise, about, state="ALARM", at=NOW):
    text = json.dumps(message(noise, about, state, at))
    return {
        "Type": "Notification",
        "MessageId": "6f1b",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
        "Subject": noise.text(),
        "Message": text,
        "Timestamp": "2026-11-22T03:10:00.000Z",
    }


def by_record(noise, about, state="ALARM", at=NOW):
    return {"EventSource": "aws:sns", "Sns": by_sns(noise, about, state, at)}


def by_eventbridge(noise, about, state="ALARM", at=NOW):
    account = about.split(":")[4] if about.count(":") > 4 else ACCOUNT
    return {
        "version": "0",
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": account,
        "region": REGION,
        "resources": [about],
        "detail": {
            "alarmName": noise.text(),
            "state": {"value": state, "timestamp": at, "reason": noise.text()},
            "configuration": {"description": noise.text()},
        },
    }


def by_alarm(noise, about, state="ALARM", at=NOW):
    return {
        "source": "aws.cloudwatch",
        "alarmArn": about,
        "accountId": ACCOUNT,
        "region": REGION,
        "alarmData": {
            "alarmName": noise.text(),
            "state": {"value": state, "timestamp": at, "reason": noise.text()},
        },
    }


WAYS = (message, by_sns, by_record, by_eventbridge, by_alarm)


def wake_up(name=ERROR_RATE, account=ACCOUNT, region=REGION):
    return json.loads(wake.body(name, account_id=account, region=region))


# -- cases ----------------------------------------------------------------------------------------


def make(noise):
    draw = noise.random.random()
    if draw < 0.36:
        return _case(noise, "hot", "outside", _outside(noise))
    if draw < 0.52:
        return _case(noise, "hot", "outside", _mutated(noise))
    if draw < 0.66:
        return _case(noise, "hot", "outside", _malformed(noise))
    if draw < 0.72:
        return _case(noise, "hot", "ignored", _ours(noise, noise.one(("OK", "INSUFFICIENT_DATA"))))
    if draw < 0.75:
        return _case(noise, "quiet", "open", noise.mutated(_ours(noise)))
    if draw < 0.76:
        return _case(noise, "quiet", "open", _ours(noise))
    if draw < 0.765:
        return _case(noise, "quiet", "open", _doubled(noise))
    if draw < 0.985:
        return _batch(noise)
    if draw < 0.990:
        return _acting(noise)
    return {"world": noise.one(("hot", "quiet")), "watch": _scheduled(noise), "expect": "open"}


def _case(noise, world, expect, document):
    """One message: in a queue's record as text, or as the event itself."""
    direct = noise.chance(0.25)
    event = document if direct else queued(_body(noise, document))
    return {"world": world, "expect": expect, "count": 1, "event": event}


def queued(*bodies):
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    return {"Records": records}


def _body(noise, document):
    """A document as text, in one of the ways in which JSON may be written."""
    if isinstance(document, dict) and document.keys() == {"$repeat"}:
        return document
    return json.dumps(
        document,
        ensure_ascii=noise.chance(0.5),
        indent=noise.one((None, None, 1)),
        separators=noise.one((None, (",", ":"))),
    )


def _ours(noise, state="ALARM"):
    name, at = noise.one(OURS), noise.one((NOW, STALE, FUTURE))
    if state == "ALARM" and noise.chance(0.2):
        return wake_up(name)
    return noise.one(WAYS)(noise, arn(name), state, at)


def _outside(noise):
    """A well-formed message about what is not ours: another account, region or alarm."""
    draw, name = noise.random.random(), noise.one(OURS)
    account, region = ACCOUNT, REGION
    if draw < 0.3:
        account = noise.one(FOREIGN_ACCOUNTS)
    elif draw < 0.6:
        region = noise.one(FOREIGN_REGIONS)
    elif draw < 0.75:
        name = f"{noise.text()}x"
    else:
        name = noise.one(
            (
                name.upper(),
                f"{name} ",
                f"{name}\x00",
                f"\u200b{name}",
                f"{name}:{name}",
                name.replace("o", "\u043e"),
                name.replace("test", "prod"),
                name[:-1],
                "*",
                noise.secretive(),
            )
        )
    if noise.chance(0.2):
        return wake_up(name, account, region)
    return noise.one(WAYS)(noise, arn(name, account, region))


def _mutated(noise):
    """The same, mutated, and still about what is not ours: a space cut off may make it so."""
    while _is_ours(document := noise.mutated(_outside(noise), times=2)):
        pass
    return document


def _is_ours(document):
    """Whether it names one of our alarms whole, by ARN or as the watcher does."""
    # Within a message that is text itself, quotation marks are escaped.
    words = set(json.dumps(document).replace("\\", "").split('"'))
    woken = words & set(OURS) and {ACCOUNT, REGION} <= words
    return woken or words & {arn(name) for name in OURS}


def _malformed(noise):
    """What is no alarm message at all."""
    draw = noise.random.random()
    if draw < 0.06:
        return noise.bomb()
    if draw < 0.1:
        about = arn() if noise.chance(0.5) else noise.text()
        return by_sns(noise, about) | {"Message": noise.bomb()}
    if draw < 0.2:
        return noise.nested(deepest=noise.one((5, 60, 150)))
    if draw < 0.5:
        return noise.value()
    document = noise.one(WAYS)(noise, noise.text() if noise.chance(0.5) else arn(" "))
    if noise.chance(0.5):
        field = noise.one(list(document))
        document[field] = noise.value()
    return document


def _doubled(noise):
    """A key twice, about ours and about another's: JSON leaves open which one counts."""
    ours, other = json.dumps(arn()), json.dumps(arn(account="999999999999"))
    head = json.dumps({"NewStateValue": "ALARM", "StateChangeTime": NOW})[:-1]
    first, second = (ours, other) if noise.chance(0.5) else (other, ours)
    return f'{head}, "AlarmArn": {first}, "AlarmArn": {second}}}'


def _records(noise):
    """Records as nobody sends them."""
    record = {"messageId": "1", "body": json.dumps(_outside(noise))}
    return noise.one(
        (
            [record | {"body": noise.value()}],
            [noise.value(), record],
            [record | {"messageId": noise.value()}],
            [{"Sns": noise.value()}],
            [{"messageId": "1"}],
        )
    )


def _batch(noise):
    """Several messages of no use at once; each is parked, and none holds up another."""
    if noise.chance(0.3):
        records = _records(noise)
        return {
            "world": "hot",
            "expect": "outside",
            "count": len(records),
            "event": {"Records": records},
        }
    bodies = [_body(noise, _outside(noise)) for _ in range(noise.random.randrange(2, 6))]
    return {"world": "hot", "expect": "outside", "count": len(bodies), "event": queued(*bodies)}


def _acting(noise):
    """True messages, twice and by several ways, amid noise."""
    useless = [_body(noise, _outside(noise)) for _ in range(noise.random.randrange(1, 6))]
    useless += [_body(noise, _malformed(noise))]
    true = [_body(noise, wake_up()), _body(noise, noise.one(WAYS)(noise, arn()))] * 2
    bodies = [*useless, *true]
    noise.random.shuffle(bodies)
    event = queued(*bodies)
    return {"world": "hot", "expect": "acts", "count": len(useless), "event": event}


def _scheduled(noise):
    """What wakes `watch`: the clock, an event of a deployment, or what nobody sends."""
    return noise.one(
        (
            {},
            {"drills": noise.value()},
            {"preflight": noise.value()},
            {"detail-type": noise.text(), "detail": noise.nested(deepest=20)},
            {"source": "aws.codedeploy", "detail": {"state": noise.text()}},
        )
    )


# -- running --------------------------------------------------------------------------------------


def run(case, stage):
    """What came of a case, in a word; raises `Violation`."""
    world = stage.before(case["world"])
    if "watch" in case:
        return _watched(case, stage, world)
    event = expanded(case["event"])
    if isinstance(event, str) and case.get("world"):
        event = _parsed(event)
    answer = stage.respond.handler(event, None)
    parked, writes = world.queue.sent, world.writes
    failures = answer.get("batchItemFailures", [])
    expect(not failures, lambda: f"comes again: {failures}", "redriven")
    for _, attributes in parked:
        expect(attributes["reason"].isidentifier(), f"the reason is {attributes['reason']!r}")
    moves, calls = world.moves[-1:] if world.acts else [], list(world.calls)
    if case["expect"] == "acts":
        expect(world.acts == ["UpdateAlias"], f"a bad deploy came to {world.acts}", "dead")
        expect(moves == [("shop", "2", "1")], f"moved {moves}", "mutation")
        expect(len(parked) == case["count"], f"{len(parked)} of {case['count']} parked")
        return "rolled back amid noise"
    expect(not world.acts, lambda: f"{world.acts} on {str(event)[:200]}", "mutation")
    if case["expect"] == "open":
        return "parked" if parked else "looked at"
    expect(not writes and "claim" not in calls, lambda: f"claimed: {str(event)[:200]}", "claim")
    expect(not calls, lambda: f"{calls[:3]} for {str(event)[:200]}", "claim")
    if case["expect"] == "ignored":
        expect(not parked, lambda: f"parked: {parked[:1]}")
        return "ignored"
    expect(len(parked) == case["count"], lambda: f"{len(parked)} of {case['count']} parked")
    return "parked"


def _parsed(text):
    """A direct event, as Lambda's runtime reads it; what is no JSON never reaches a handler."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return queued(text)


def _watched(case, stage, world):
    answer = stage.watch.handler(expanded(case["watch"]), None)
    expect(not world.acts, f"watch did {world.acts}", "mutation")
    expect(answer.get("problems", 0) == 0, f"{answer}")
    for body, _ in world.queue.sent:
        expect(body in {wake.body(n, account_id=ACCOUNT, region=REGION) for n in OURS}, body)
    return "watched"
