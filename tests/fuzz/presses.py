"""Input: requests to `interact`, at an address that anybody may call."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from urllib.parse import urlencode

from rollback_responder.domain.errors import RollbackError
from tests.fuzz.checks import APPROVER, expect
from tests.fuzz.noise import expanded
from tests.fuzz.world import SIGNING_SECRET, WEBHOOK

NAME, SHARE = "presses", 0.31
ACTIONS = ("approve", "hold", "undo", "fix_forward", "right", "wrong")
# That of the world that asks.
INCIDENT = "inc-0004"


def signature(body, timestamp, secret=SIGNING_SECRET):
    text = f"v0:{timestamp}:{body}".encode(errors="surrogatepass")
    return "v0=" + hmac.new(secret.encode(errors="surrogatepass"), text, hashlib.sha256).hexdigest()


def payload(noise, action="approve", user=APPROVER, **about):
    value = {"service": "shop", "incident_id": "{incident}"} | about
    return {
        "type": "block_actions",
        "user": {"id": user, "name": noise.text(), "username": "ann"},
        "response_url": WEBHOOK,
        "trigger_id": noise.word(),
        "message": {"text": noise.text()},
        "actions": [{"type": "button", "action_id": action, "value": json.dumps(value)}],
    }


def make(noise):
    draw = noise.random.random()
    case = {
        "payload": payload(noise, noise.one(ACTIONS)),
        "late": 0,
        "base64": noise.chance(0.3),
        "expect": "refused",
    }
    if draw < 0.66:
        return case | {"signature": _forged(noise)}
    if draw < 0.75:
        return case | _tampered(noise)
    if draw < 0.82:
        return case | {"late": noise.one((-(10**6), -301, 301, 10**9)), "expect": "refused"}
    if draw < 0.94:
        return case | {"payload": noise.mutated(case["payload"], times=2), "expect": "signed"}
    if draw < 0.97:
        return case | {"payload": _odd(noise), "expect": "signed"}
    if draw < 0.99:
        user = noise.one(("U999", noise.text(), APPROVER.lower()))
        return case | {"payload": payload(noise, "approve", user), "expect": "stranger"}
    return case | {"payload": payload(noise), "expect": "taken"}


def _odd(noise):
    """A signed payload that is no press."""
    return noise.one((noise.value(), noise.nested(deepest=150), {"$text": noise.bomb()}))


def _forged(noise):
    """How the right signature is made wrong: what to do, and where."""
    how = noise.one(
        ("flip", "flip", "flip", "cut", "pad", "upper", "version", "other", "none", "any", "time")
    )
    at = noise.random.randrange(3, 67)
    return [how, at, noise.text() if how == "any" else noise.one("0123456789abcdef")]


def _tampered(noise):
    """A right signature over something else than what is sent."""
    return {
        "tamper": noise.one(
            ("body", "headers", "no headers", "no body", "half", "base64", "event")
        ),
        "with": noise.value(),
    }


# -- running --------------------------------------------------------------------------------------


def run(case, stage):
    """What came of a request; no request without a right signature does anything."""
    world = stage.before("asking")
    request = request_of(expanded(case), world)
    status = stage.interact.handler(request, None)["statusCode"]
    wrote = [after["pk"]["S"] for _, after in world.writes]
    expect(not world.acts, f"interact did {world.acts}", "mutation")
    if case["expect"] == "refused":
        expect(status in {400, 401}, f"{status} for a request that nobody signed", "forged")
        expect(not wrote, f"{wrote} for a request that nobody signed", "forged")
        expect(not stage.slack.posts, "an answer to a request that nobody signed", "forged")
        return f"refused {status}"
    if case["expect"] == "signed":
        expect(status in {200, 400}, f"{status} for a signed request")
        return f"signed, {status}"
    if case["expect"] == "stranger":
        expect(status == 200, f"{status} for a stranger's press")
        expect(all(key.startswith("press#") for key in wrote), f"wrote {wrote}", "forged")
        return "a stranger's"
    return _taken(stage, world, request, status)


def _taken(stage, world, request, status):
    """A yes of who may say it is taken once, and rolls back."""
    expect(status == 200, f"{status} for a true press", "dead")
    posts = len(stage.slack.posts)
    expect(posts == 1, f"{posts} answers to a true press", "dead")
    expect(stage.interact.handler(request, None)["statusCode"] == 200, "a replay", "dead")
    expect(len(stage.slack.posts) == posts, "a replay was answered", "forged")
    bodies = [body for body, _ in world.queue.sent]
    records = [{"messageId": "1", "body": body} for body in bodies]
    try:
        stage.respond.handler({"Records": records}, None)
    except RollbackError as error:
        expect(holds=False, text=f"respond: {error}", kind="dead")
    expect(world.acts == ["UpdateAlias"], f"a yes came to {world.acts}", "dead")
    return "taken, and rolled back"


def request_of(case, world):
    at = world.now - timedelta(seconds=case["late"])
    timestamp = str(int(at.timestamp()))
    text = case["payload"]
    if isinstance(text, dict) and text.keys() == {"$text"}:
        text = text["$text"]
    else:
        text = json.dumps(text).replace("{incident}", INCIDENT)
    body = urlencode({"payload": text.encode(errors="replace")})
    headers = {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(body, timestamp),
    }
    if "signature" in case:
        headers["X-Slack-Signature"] = _wrong(case["signature"], body, timestamp)
    event = {"headers": headers, "body": body, "isBase64Encoded": False}
    if case["base64"]:
        event |= {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}
    return _with(event, case) if "tamper" in case else event


def _wrong(how, body, timestamp):
    right = signature(body, timestamp)
    kind, at, other = how
    flipped = other if right[at - 1] != other else ("0" if other != "0" else "1")
    return {
        "flip": right[: at - 1] + flipped + right[at:],
        "cut": right[: at - 1],
        "pad": f"{right}{other}",
        "upper": right[:3] + right[3:].upper(),
        "version": f"v1{right[2:]}",
        "other": signature(body, timestamp, f"{SIGNING_SECRET}{other}"),
        "none": "",
        "any": other,
        "time": signature(body, str(int(timestamp) + 1)),
    }[kind]


def _with(event, case):
    """The event with something else in it than what was signed."""
    value, headers = case["with"], event["headers"]
    match case["tamper"]:
        case "body":
            raw = event["body"] if not event["isBase64Encoded"] else "payload=x"
            return event | {"body": f"{raw}&x=y", "isBase64Encoded": False}
        case "headers":
            return event | {"headers": headers | {"X-Slack-Signature": value}}
        case "no headers":
            return event | {"headers": value if not isinstance(value, dict) else None}
        case "no body":
            return event | {"body": value if not isinstance(value, str) else None}
        case "half":
            return event | {"body": "payload=\udc00", "isBase64Encoded": False}
        case "base64":
            return event | {"body": "=\u00e9==", "isBase64Encoded": True}
        case _:
            return value
