"""Input: the journal's own rows, as older versions, people and accidents may have left them.

What cannot be read is never acted upon and never overwritten: `damaged` marks a row whose damage no
reader can take for anything else. Every other change may be read as it stands, and then too nothing
goes anywhere but back to the version that proved itself.
"""

import json
import random
from functools import cache

from botocore.exceptions import ClientError
from scenarios import ERROR_RATE

from house import ACCOUNT, REGION
from rollback_responder.notifiers.slack import BotThread
from rollback_responder.signals import wake
from tests.fuzz import presses
from tests.fuzz.checks import expect
from tests.fuzz.files import run_command
from tests.fuzz.noise import Noise, expanded
from tests.fuzz.world import WORLDS

NAME, SHARE = "rows", 0.03
BOOKS = ("incident", "ledgers", "controls")
KINDS = (
    {"N": "1"},
    {"BOOL": True},
    {"M": {}},
    {"L": [{"S": "x"}]},
    {"NULL": True},
    {"SS": ["x"]},
    {"N": "-1"},
    {"N": "9" * 30},
    {"N": "1E+100"},
    {"N": "0.5"},
    {"S": ""},
    {"S": "\ud83d\ude00"},
)
COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["incidents"],
    ["incidents", "--json"],
    ["show", "{incident}"],
    ["show", "{incident}", "--json"],
    ["report", "{incident}"],
)


@cache
def rows_of(name):
    """The items of a world, by their keys."""
    items = WORLDS[name]().items()
    row = next(i for i in items if i["pk"]["S"] == "service#shop" and i["sk"]["S"] == "row")
    row.setdefault("controls", {"S": "{}"})
    said = {"at": "2026-11-22T03:10:00+00:00", "by": "ann", "text": "x", "incident_id": "inc-0004"}
    incident = json.loads(row["incident"]["S"])["id"] if "incident" in row else "inc-0001"
    return {
        "row": row,
        "switches": next(
            (i for i in items if i["pk"]["S"] == "switches"),
            {"pk": {"S": "switches"}, "sk": {"S": "row"}},
        )
        | {"hour": {"N": "498795"}, "spent": {"SS": ["inc-1"]}},
        "said": {
            "pk": {"S": "said"},
            "sk": {"S": "2026-11-22T03:10:00+00:00#1"},
            "said": {"S": json.dumps(said)},
        },
        "notice": {
            "pk": {"S": f"notice#{incident}"},
            "sk": {"S": "row"},
            "told": {"N": "0"},
            "head": {"S": "C1/1.2"},
            "shown": {"SS": ["asked"]},
        },
        "storm": {
            "pk": {"S": "storm"},
            "sk": {"S": "row"},
            "latest": {"S": "inc-1"},
            "joined": {"N": "1"},
            "began_at": {"N": "1795662600000"},
        },
        "storm of": {
            "pk": {"S": f"storm-of#{incident}"},
            "sk": {"S": "row"},
            "gathering": {"S": "inc-1"},
        },
        "gathering": {
            "pk": {"S": "storm#inc-1"},
            "sk": {"S": "row"},
            "in inc-1": {"S": '["shop", "undecided", false]'},
            "called_for": {"N": "0"},
            "head": {"S": "C1/1.2"},
        },
        "label": {
            "pk": {"S": "service#shop"},
            "sk": {"S": f"label#{incident}"},
            "is_right": {"BOOL": True},
            "said_by": {"S": "ann"},
        },
        "archive": {
            "pk": {"S": "service#shop"},
            "sk": {"S": f"incident#{incident}"},
            "archive": row.get("incident", {"S": "{}"}),
        },
    }


# -- cases ----------------------------------------------------------------------------------------


def make(noise):
    draw = noise.random.random()
    world = noise.one(("hot", "hot", "watching", "asking", "fixed"))
    rows = rows_of(world)
    if draw < 0.03:
        # Another service's, as a person may have copied it.
        text = rows_of("fixed")["row"]["incident"]["S"].replace(
            '"service":"shop"', '"service":"cart"'
        )
        item = rows["row"] | {"incident": {"S": text}}
        via = noise.one(("respond", "watch", "press"))
        return _case(noise, world, item, via, damaged=True, book="incident")
    if draw < 0.5:
        which = noise.one([book for book in BOOKS if book in rows["row"]])
        item, damaged = _damaged(noise, rows["row"], which)
        via = noise.one(("respond", "respond", "watch", "watch", "press", "notify", "command"))
        return _case(noise, world, item, via, damaged=damaged, book=which)
    if draw < 0.68:
        which = noise.one([book for book in BOOKS if book in rows["row"]])
        text = json.dumps(noise.mutated(json.loads(rows["row"][which]["S"]), times=2))
        item = rows["row"] | {which: {"S": text}}
        via = noise.one(("respond", "watch", "press", "notify", "notify", "command"))
        return _case(noise, world, item, via, book=which)
    if draw < 0.78:
        return _case(
            noise, world, _held(noise, rows["row"]), noise.one(("respond", "watch", "command"))
        )
    if draw < 0.86:
        via = noise.one(("respond", "respond", "command"))
        return _case(noise, "hot", _other_kinds(noise, rows["switches"]), via)
    if draw < 0.9:
        hostile = _hostile(noise, json.loads(rows_of("fixed")["row"]["incident"]["S"]))
        item = rows["row"] | {"incident": {"S": json.dumps(hostile)}}
        return _case(noise, "fixed", item, noise.one(("notify", "notify", "command")))
    name = noise.one(("said", "notice", "storm", "storm of", "gathering", "label", "archive"))
    via = "command" if name in {"label", "archive"} else "notify"
    return _case(noise, world, _other_kinds(noise, rows[name]), via)


def _case(noise, world, item, via, *, damaged=False, book=None):
    case = {"world": world, "item": item, "via": via, "damaged": damaged, "book": book}
    # A picture takes as long as a hundred other cases.
    case |= {"draw": noise.chance(0.04)} if via == "notify" else {}
    return case | ({"command": noise.one(COMMANDS)} if via == "command" else {})


def _damaged(noise, row, which):
    """A row with one of its books damaged beyond doubt."""
    text, draw = row[which]["S"], noise.random.random()
    document = json.loads(text)
    if draw < 0.2:
        return row | {which: noise.one(KINDS)}, True
    if draw < 0.4:
        return row | {which: {"S": text[: noise.random.randrange(len(text))]}}, True
    if draw < 0.5:
        other = noise.one(("[]", "null", "7", '"x"', "[{}]", "NaN", noise.bomb()))
        return row | {which: {"S": other}}, True
    part = document if which != "ledgers" else document[noise.one(list(document))]
    key = noise.one(list(part)) if part else ""
    if draw < 0.65 and which == "incident":
        del part[
            noise.one(("id", "service", "target", "trigger", "alarm_name", "opened_at", "mode"))
        ]
    elif draw < 0.8 and key:
        part[key] = [[]]
    else:
        part[noise.one(("version", "secret", "\u202e", "kind", "Id"))] = noise.value()
    return row | {which: {"S": json.dumps(document)}}, True


def _held(noise, row):
    """A row that somebody holds, or that looks like it."""
    claim = {
        "claim_id": {"S": "inc-0009"},
        "claim_until": {"N": noise.one(("0", "1795662600000", "99999999999999", "-1"))},
        "claim_acts": {"BOOL": noise.chance(0.5)},
        "claim_inherited": {"SS": ["inc-0008"]},
        "closed_by": {"S": "inc-0007"},
    }
    for name in list(claim):
        draw = noise.random.random()
        if draw < 0.2:
            claim[name] = noise.one(KINDS)
        elif draw < 0.3:
            del claim[name]
    return row | claim


def _other_kinds(noise, item):
    """An item in which attributes are of other kinds, torn, or not there."""
    keys = [key for key in item if key not in {"pk", "sk"}]
    changed = dict(item)
    for key in {noise.one(keys), noise.one(keys)}:
        draw = noise.random.random()
        if draw < 0.5:
            changed[key] = noise.one(KINDS)
        elif draw < 0.65:
            del changed[key]
        elif "S" in changed[key]:
            changed[key] = {"S": noise.torn(changed[key]["S"])}
        else:
            changed["paused_by"] = noise.one(KINDS)
    return changed


def _hostile(noise, value):
    """The value with texts of anybody's in place of its own words."""
    if isinstance(value, dict):
        return {
            key: noise.text() if key in {"text", "about", "title", "noun", "said", "approved_by"}
            else _hostile(noise, member)
            for key, member in value.items()
        }  # fmt: skip
    return [_hostile(noise, each) for each in value] if isinstance(value, list) else value


# -- running --------------------------------------------------------------------------------------


def run(case, stage):
    """What came of a row; raises `Violation`."""
    world = stage.before(case["world"])
    item = _written(expanded(case["item"]))
    if case["via"] == "notify":
        return _told(case, stage, world, item)
    if case["via"] == "command":
        return _asked(case, world, item)
    try:
        world.put(item)
    except ClientError:
        return "no row holds as much"
    before = {name: world.row().get(name) for name in BOOKS}
    word = {"respond": _responded, "watch": _watched, "press": _pressed}[case["via"]](
        case, stage, world
    )
    acts = world.acts
    expect(len(acts) <= 1, f"{acts} by one message", "mutation")
    expect(all(move[2] in {"1", "2"} for move in world.moves), f"{world.moves}", "mutation")
    if case["damaged"]:
        expect(not acts, f"{acts} on a damaged row", "mutation")
        # A press about a row whose ledgers are damaged may be written down: it reads none.
        books = [case["book"]] if case["via"] == "press" else BOOKS
        changed = [name for name in books if world.row().get(name) != before[name]]
        expect(not changed, f"{changed} overwritten", "overwritten")
    return f"{case['via']}, {word}"


def _written(item):
    """What DynamoDB would keep of it: no half characters."""
    return json.loads(json.dumps(item, ensure_ascii=False).encode(errors="replace").decode())


def _responded(case, stage, world):
    body = wake.body(ERROR_RATE, account_id=ACCOUNT, region=REGION)
    answer = stage.respond.handler({"Records": [{"messageId": "1", "body": body}]}, None)
    failed = bool(answer["batchItemFailures"])
    expect(not world.queue.sent, "the message was parked")
    if case["damaged"]:
        expect(failed, "a damaged row was taken for a row")
    return "comes again" if failed else "answered"


def _watched(case, stage, world):
    answer = stage.watch.handler({}, None)
    expect(not world.acts, "watch acted", "mutation")
    if case["damaged"]:
        expect(answer["problems"] > 0, "no problem was told")
    return "a problem" if answer["problems"] else "watched"


def _pressed(case, stage, world):
    press = {"payload": presses.payload(Noise(random.Random(1))), "late": 0, "base64": False}
    request = presses.request_of(press, world)
    status = stage.interact.handler(request, None)["statusCode"]
    expect(status in {200, 500}, f"{status}")
    if case["damaged"] and case["book"] != "ledgers":
        expect(status == 500, f"{status} on a damaged row")
    return f"pressed, {status}"


def _told(case, stage, world, item):
    """Told in Slack, or parked with its reason; it never comes back for ever."""
    keys = item["pk"]["S"]
    image = item if keys.startswith(("service#", "said")) else rows_of("fixed")["row"]
    if image is not item:
        world.put(item)
    BotThread.takes_pictures = case["draw"]
    record = {"dynamodb": {"NewImage": image, "OldImage": {}, "SequenceNumber": "7"}}
    answer = stage.notify.handler({"Records": [record]}, None)
    failed, parked = bool(answer["batchItemFailures"]), bool(world.queue.sent)
    if image is item:
        expect(not failed, "what can never be told comes again for ever", "redriven")
    kind = image.get("incident") or image.get("said") or {}
    if case["damaged"] and case["book"] == "incident" and "S" in kind:
        expect(parked, "a damaged row was told")
    return f"notify, {'parked' if parked else 'comes again' if failed else 'told'}"


def _asked(case, world, item):
    incident = world.incident.id if world.incident else "inc-0001"
    others = [i for i in world.items() if (i["pk"], i["sk"]) != (item["pk"], item["sk"])]
    arguments = [word.replace("{incident}", incident) for word in case["command"]]
    files = {"journal.json": json.dumps({"Items": [item, *others]})}
    code = run_command([*arguments, "--journal", "{journal.json}"], files)
    return f"command, {code}"
