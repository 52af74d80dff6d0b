"""The policy's reader: everything good is read as it was meant, everything bad is told at once."""

import json
from pathlib import Path
from typing import Literal, Union, get_origin

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from rollback_responder.domain import naming, schema
from rollback_responder.domain.document import COUNTABLE, Reader, write
from rollback_responder.domain.errors import PolicyError
from rollback_responder.domain.freeze import Day
from rollback_responder.domain.incident import Incident
from rollback_responder.domain.judging import Evidence
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import (
    Access,
    Guardrails,
    Policy,
    parse_policy,
    parse_service,
)
from rollback_responder.domain.release import Good
from rollback_responder.domain.response import Mode, Severity
from rollback_responder.domain.schema import cdk_json_schema, policy_schema
from rollback_responder.domain.trigger import ErrorRate, Latency
from tests.builders import TARGET, a_policy

POLICIES = Path(__file__).resolve().parents[1] / "policies"
GOOD, BAD = sorted((POLICIES / "good").glob("*.json")), sorted((POLICIES / "bad").glob("*.json"))
SCHEMA = jsonschema.Draft202012Validator(policy_schema())
# What no schema of one document says: conflicts between fields, and Python's own `$`.
ONLY_THE_PARSER = {
    "adopted_alarm_of_our_own",
    "adopted_alarm_on_two_aliases",
    "alarm_name_too_long",
    "drills_in_production",
    "duplicates",
    "freezes_that_never_are",
    "healthy_later_than_the_deadline",
    "its_own_dependency",
    "itself",
    "measured_trigger_without_an_alias",
    "more_bad_minutes_than_minutes",
    "newline_at_the_end",
    "redeploy_without_one_alias",
    "same_adopted_alarm",
    "same_rollout_in_two_services",
    "service_trigger_on_two_aliases",
    "siblings_nobody_knows",
    "too_many_siblings",
    "two_log_formats",
}


def case(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_policy_is_read_and_written_back_the_same(path):
    policy = parse_policy(case(path)["policy"])

    assert parse_policy(policy.to_document()) == policy
    assert parse_policy(json.loads(json.dumps(policy.to_document()))) == policy


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_schema_takes_a_good_policy(path):
    assert list(SCHEMA.iter_errors(case(path)["policy"])) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_policy_is_told_all_its_problems(path):
    with pytest.raises(PolicyError) as raised:
        parse_policy(case(path)["policy"])

    assert [str(problem) for problem in raised.value.problems] == case(path)["problems"]
    assert all(problem in str(raised.value) for problem in case(path)["problems"])


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_the_schema_refuses_a_bad_policy_where_it_can(path):
    refused = not SCHEMA.is_valid(case(path)["policy"])

    assert refused is (path.stem not in ONLY_THE_PARSER)


@pytest.mark.parametrize("path", GOOD + BAD, ids=lambda path: path.stem)
def test_every_case_says_what_it_is_about(path):
    assert case(path)["description"].endswith(".")


def test_one_problem_is_one_and_two_are_two():
    with pytest.raises(PolicyError, match="the rollback policy has 1 problem:\n  - rollback"):
        parse_policy([])
    with pytest.raises(PolicyError, match="has 3 problems:"):
        parse_policy({})


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [nested(100_000), 10**10_000], ids=["nested", "digits"])
@pytest.mark.parametrize("place", ["channel", "mention", "surprise"])
def test_what_is_beyond_all_bounds_is_a_problem_like_any_other(value, place):
    with pytest.raises(PolicyError, match="beyond all bounds"):
        a_policy(slack={"channel": "#deploys", place: value})


def test_a_field_of_any_number_is_bounded_as_well():
    reader = Reader()
    document = {"verdict": "healthy", "text": "x", "value": 10**400, "requests": -(10**400)}
    assert reader.read(Evidence, document, "e") is None
    assert [problem.path for problem in reader.problems] == ["e.value", "e.requests"]


def test_a_type_no_document_can_hold_is_the_programmers_error():
    class Odd(Struct, frozen=True):
        what: bytes

    with pytest.raises(TypeError, match="cannot hold"):
        Reader().read(Odd, {"what": "x"}, "odd")


def test_lists_of_plain_values_and_yes_or_no():
    class Plain(Struct, frozen=True):
        yes: bool
        words: tuple[str, ...] = ()

    reader = Reader()
    assert reader.read(Plain, {"yes": True, "words": ["a"]}, "") == Plain(yes=True, words=("a",))
    assert reader.read(Plain, {"yes": "no", "words": [1]}, "") is None
    assert [str(p) for p in reader.problems] == [
        "yes: got 'no'; allowed: true or false; see docs/configuration.md",
        "words[0]: got 1; allowed: a string; see docs/configuration.md",
    ]


@pytest.mark.parametrize("text", ["2026-11-22T04:00:00", "yesterday", 7, None])
def test_an_instant_has_an_offset(text):
    reader = Reader()
    reader.read(Good, {"version": "1", "proven_at": text}, "good")

    assert "an ISO 8601 instant with an offset" in str(reader.problems[0])


@pytest.mark.parametrize(
    ("year", "counts"), [("0001", False), ("1970", True), ("8999", True), ("9999", False)]
)
def test_what_is_counted_from_lies_where_there_is_room_to_count(year, counts):
    document = {"version": "1", "proven_at": f"{year}-06-01T00:00:00+00:00"}

    assert Reader().read(Good, document, "good") is not None
    assert (Reader(years=COUNTABLE).read(Good, document, "good") is not None) is counts


def test_an_unreadable_document_of_rows_names_all_that_is_missing():
    reader = Reader()

    assert reader.read(Incident, {}, "incident") is None
    assert "incident.alarm_name" in {problem.path for problem in reader.problems}


# -- what the policy means ------------------------------------------------------------------------


def test_defaults_are_the_cautious_ones():
    policy = a_policy()
    document = policy.to_document()
    del document["mode"]

    assert parse_policy(document).mode is Mode.OBSERVE
    assert policy.guardrails == Guardrails()
    trigger = policy.services[0].triggers[0]
    assert (trigger.minimum_errors, trigger.minimum_requests) == (3, 20)


def test_a_services_mode_overrides_the_policys():
    document = a_policy().to_document()
    document["services"][0]["mode"] = "observe"
    policy = parse_policy(document)

    assert policy.mode_of(policy.services[0]) is Mode.OBSERVE
    assert a_policy().mode_of(a_policy().services[0]) is Mode.ENFORCE


@pytest.mark.parametrize(
    ("own", "triggers", "mode"),
    [
        (None, None, "approve"),
        (None, "observe", "observe"),
        (None, "approve", "approve"),
        # A trigger holds back, and lets nothing happen that the service does not.
        (None, "enforce", "approve"),
        ("enforce", "approve", "approve"),
        ("enforce", None, "enforce"),
        ("observe", "enforce", "observe"),
    ],
)
def test_a_triggers_mode_holds_its_service_back(own, triggers, mode):
    trigger = {"kind": "error_rate", "threshold_percent": 5} | (
        {"mode": triggers} if triggers else {}
    )
    alias = {"kind": "lambda_alias", "function": "shop", "alias": "live"}
    service = {"name": "shop", "targets": [alias], "triggers": [trigger]}
    policy = a_policy(mode="approve", services=[service | ({"mode": own} if own else {})])
    (found,) = policy.services

    assert policy.mode_of(found, found.triggers[0]).value == mode


def test_an_order_is_looked_at_by_the_first_alarm_of_its_pointer_that_may_act():
    alias = {"kind": "lambda_alias", "function": "shop", "alias": "live"}
    rate = {"kind": "error_rate", "threshold_percent": 5}
    slow = {"kind": "latency", "statistic": "p95", "threshold_ms": 300}
    services = [
        {"name": "cart", "targets": [alias | {"function": "cart"}], "triggers": [rate]},
        {
            "name": "shop",
            "targets": [alias],
            "triggers": [rate | {"mode": "observe"}, slow, rate | {"name": "more"}],
        },
    ]
    policy = a_policy(services=services)
    shop = policy.services[1]
    entry = policy.entry_for(shop, shop.pointers[0])

    assert (entry.service, entry.trigger) == (shop, shop.triggers[1])
    assert policy.entry_for(shop, policy.services[0].pointers[0]) is None


def test_a_service_is_read_by_itself_as_in_its_policy():
    (service,) = a_policy().services

    assert parse_service(write(service)) == service
    with pytest.raises(PolicyError) as refused:
        parse_service({"name": "shop"})
    assert str(refused.value).startswith("the rollback policy has 2 problems:\n")
    assert "rollback.services.targets: " in str(refused.value)


def test_an_alarm_that_is_nobodys_pointers_is_named_after_its_service():
    targets = [{"kind": "cloudformation_stack", "stack": "shop"}]
    service = {
        "name": "shop",
        "targets": targets,
        "triggers": [{"kind": "dead_letters", "queue": "q"}],
    }
    (watched,) = a_policy(services=[service]).watched()

    assert watched.alarm_name == "rollback.prod.shop.dead-letters-q"


def test_names_of_alarms_and_topic():
    (entry,) = a_policy().watched()

    assert entry.alarm_name == "rollback.prod.shop.shop.live.error-rate"
    assert naming.topic_name("prod") == "rollback-alarms-prod"
    assert naming.metrics_service("prod") == "rollback-responder-prod"
    assert entry.pointer.title == "shop:live"


def test_a_service_tells_what_is_moved_from_what_carries_a_change():
    policy = parse_policy(case(POLICIES / "good" / "an_alias_and_what_moves_it.json")["policy"])
    (service,) = policy.services

    assert [target.kind for target in service.pointers] == ["lambda_alias"]
    assert [t.kind for t in service.rollouts] == ["codedeploy_group", "cloudformation_stack"]
    assert [target.title for target in service.targets] == ["shop/live", "stack shop", "shop:live"]
    assert {w.pointer for w in policy.watched()} == set(service.pointers)
    assert len({target.target_id for target in service.targets}) == 3


def test_an_alarm_of_a_service_without_an_alias_has_no_pointer():
    policy = parse_policy(case(POLICIES / "good" / "a_service_without_an_alias.json")["policy"])
    (entry,) = policy.watched()

    assert (entry.alarm_name, entry.pointer) == ("legacy", None)
    assert [stack.stack for stack in entry.service.rollouts] == ["shop-data", "shop-api"]


def test_each_alias_has_its_own_measured_alarm_whatever_else_is_rolled_back_with_it():
    policy = parse_policy(case(POLICIES / "good" / "two_aliases_and_a_stack.json")["policy"])

    assert [entry.alarm_name for entry in policy.watched()] == [
        "rollback.prod.shop.shop.live.error-rate",
        "rollback.prod.shop.shop.beta.error-rate",
    ]


def test_an_adopted_alarm_keeps_its_name():
    document = case(POLICIES / "good" / "odd_names.json")["policy"]
    (entry,) = parse_policy(document).watched()

    assert entry.alarm_name == document["services"][0]["triggers"][0]["name"]


@pytest.mark.parametrize(
    ("statistic", "enough"),
    [
        ("p50", 20),
        ("p75", 40),
        ("p90", 100),
        ("p95", 200),
        ("p99", 1000),
        ("p99.9", 10_000),
        ("average", 2),
    ],
)
def test_a_percentile_needs_samples(statistic, enough):
    trigger = Latency(statistic=statistic, threshold_ms=1)
    assert question_of(trigger, TARGET).enough_samples == enough


def test_the_floor_of_ten_minutes_is_spread_over_them():
    trigger = ErrorRate(threshold_percent=5, minimum_requests=21)

    assert question_of(trigger, TARGET).minimum_requests_a_minute == 3


# -- whatever the document ------------------------------------------------------------------------

WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
ALIASES = st.from_regex(r"[a-z][A-Za-z0-9_-]{0,20}", fullmatch=True)
GROUPS = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Z"], blacklist_characters="/*?$"),
    min_size=1,
    max_size=100,
)
SEVERITIES = st.sampled_from([s.value for s in Severity])


@st.composite
def windows(draw):
    minutes = draw(st.integers(1, 60))
    return {"minutes": minutes, "breaching_minutes": draw(st.integers(1, minutes))}


OF_POINTER = ("error_rate", "latency", "latency_times_normal", "timeouts", "throttles")
OF_SERVICE = ("api_5xx_rate", "api_5xx_count", "dead_letters", "ratio", "anomaly", "alarm")
PERCENT = st.floats(0, 99.99) | st.integers(1, 99)
ODD_WORDS = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=20)
METRICS = st.fixed_dictionaries(
    {"namespace": st.just("Shop"), "name": ODD_WORDS},
    optional={
        "dimensions": st.lists(
            st.fixed_dictionaries({"name": ODD_WORDS, "value": ODD_WORDS}), max_size=3
        )
    },
)
APIS = st.fixed_dictionaries(
    {"name": ODD_WORDS},
    optional={"type": st.sampled_from(["rest", "http"]), "stage": st.just("$default")},
)
STATISTICS = st.sampled_from(["p50", "p75", "p95", "p99", "p99.9", "average"])
OWN_FIELDS = {
    "error_rate": {"threshold_percent": PERCENT},
    "latency": {"statistic": STATISTICS, "threshold_ms": st.floats(1, 900_000)},
    "latency_times_normal": {"statistic": STATISTICS, "times": st.floats(1.25, 1000)},
    "timeouts": {"threshold_percent": PERCENT},
    "throttles": {"threshold_percent": PERCENT},
    "api_5xx_rate": {"api": APIS, "threshold_percent": PERCENT},
    "api_5xx_count": {"api": APIS, "more_than": st.integers(0, 100)},
    "dead_letters": {"queue": st.sampled_from(["dead", "dead.fifo"])},
    "ratio": {"bad": METRICS, "whole": METRICS, "threshold_percent": PERCENT},
    "anomaly": {"metric": METRICS, "statistic": st.sampled_from(["Sum", "p99", "Average"])},
    "alarm": {},
}
COUNTED = {"error_rate", "timeouts", "throttles", "api_5xx_rate", "ratio"}
SAMPLED = {"latency", "latency_times_normal"} | COUNTED


@st.composite
def triggers(draw, kinds, number):
    """One trigger; its number in its name tells it from others of its kind."""
    kind = draw(st.sampled_from(kinds))
    found = {
        "kind": kind,
        "severity": draw(SEVERITIES),
        "when_unmeasurable": draw(st.sampled_from(["hold", "trust_alarm"])),
        **draw(st.fixed_dictionaries(OWN_FIELDS[kind])),
    }
    if kind == "dead_letters":
        found["queue"] = f"n{number}-{found['queue']}"
    elif kind == "alarm":
        found["name"] = f"{number} {draw(ODD_WORDS)}"
    elif kind != "api_5xx_count":
        found["name"] = f"n{number}"
    if kind not in {"alarm", "api_5xx_count"}:
        found |= draw(windows())
    if kind in SAMPLED:
        found["minimum_requests"] = draw(st.integers(1, 1_000_000))
    if kind in COUNTED:
        found["minimum_errors"] = draw(st.integers(1, 1_000_000))
    return found


FREEZES = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.just("weekly"),
            "name": st.just("nights"),
            "days": st.lists(st.sampled_from([day.value for day in Day]), min_size=1),
        },
        optional={"from_clock": st.just("22:30"), "until_clock": st.just("06:00")},
    )
    | st.just(
        {
            "kind": "once",
            "name": "the sale",
            "from_at": "2026-11-27T00:00:00+01:00",
            "until_at": "2026-11-28T00:00:00+00:00",
        }
    ),
    max_size=2,
)
AGES = st.fixed_dictionaries(
    {"roll_back_minutes": st.integers(0, 10_080), "ask_minutes": st.integers(0, 10_080)}
)
RESPONSES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["critical", "high", "medium", "low"], AGES)
)


def an_alias(name):
    return st.fixed_dictionaries(
        {"kind": st.just("lambda_alias"), "function": st.just(f"{name}-f"), "alias": ALIASES},
        optional={"never_back_to": st.lists(st.sampled_from(["1", "17"]), max_size=2)},
    )


def kind_of(target):
    return target["kind"]


@st.composite
def rollouts(draw, name, bare):
    """None, one or both kinds, under names that no other service has; one at least if `bare`."""
    given = [
        {
            "kind": "codedeploy_group",
            "application": name,
            "group": draw(GROUPS),
            "after_success": draw(st.sampled_from(["ask"] if bare else ["ask", "redeploy"])),
        },
        {
            "kind": "cloudformation_stack",
            "stack": f"s-{name}".replace("_", "-"),
            "continue_rollback": draw(st.booleans()),
        },
    ]
    chosen = draw(st.lists(st.sampled_from(given), min_size=bare, max_size=2, unique_by=kind_of))
    return [target | {"deadline_minutes": draw(st.integers(5, 1440))} for target in chosen]


@st.composite
def documents(draw):
    services = []
    names = draw(
        st.lists(WORDS, min_size=1, max_size=3, unique_by=lambda name: name.replace("_", "-"))
    )
    lag = draw(st.integers(0, 10))
    for name in names:
        bare = draw(st.booleans())
        rolled = draw(rollouts(name, bare))
        kinds = OF_SERVICE if bare else (*OF_POINTER, *OF_SERVICE)
        chosen, log_format = [], draw(st.sampled_from(["text", "json"]))
        for number in range(draw(st.integers(1, 3))):
            trigger = draw(triggers(kinds, f"{len(services)}{number}"))
            if trigger["kind"] == "timeouts":
                trigger["log_format"] = log_format
            # Of a count of 5xx responses a service has one; it has no name of its own.
            if trigger["kind"] not in {c["kind"] for c in chosen} or "name" in trigger:
                chosen.append(trigger)
        deadline = draw(st.integers(lag + 2, 240))
        service = {
            "name": name,
            "targets": rolled if bare else draw(st.permutations([draw(an_alias(name)), *rolled])),
            "triggers": chosen,
            "siblings": [other for other in names if other != name][: draw(st.integers(0, 2))],
            "dependencies": draw(st.lists(ODD_WORDS, max_size=2)),
            "verification": {
                "healthy_minutes": draw(st.integers(1, min(60, deadline - lag - 1))),
                "deadline_minutes": deadline,
            },
        }
        if draw(st.booleans()):
            service["after_failure"] = draw(st.sampled_from(["stop", "go_on"]))
        if draw(st.booleans()):
            service["mode"] = draw(st.sampled_from(["observe", "approve", "enforce"]))
            chosen[0]["mode"] = "observe"
        services.append(service)
    return {
        "environment": draw(st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True)),
        "mode": draw(st.sampled_from(["observe", "approve", "enforce"])),
        "responses": draw(RESPONSES),
        "freezes": draw(FREEZES),
        "slack": {
            "channel": draw(st.sampled_from(["#deploys", "C012345", "日本"])),
            "mention": draw(st.sampled_from(["here", "channel", "nobody"])),
        },
        "guardrails": {
            "approval_minutes": draw(st.integers(1, 1440)),
            "service_rollbacks_a_day": draw(st.integers(1, 20)),
            "cooldown_minutes": draw(st.integers(0, 1440)),
            "bake_minutes": draw(st.integers(1, 1440)),
            "recheck_minutes": draw(st.integers(1, 60)),
            "rollbacks_an_hour": draw(st.integers(1, 1000)),
            "metric_lag_minutes": lag,
        },
        "health": {"emails": draw(st.sampled_from([[], ["a@b.c"]]))},
        "services": services,
    }


@given(documents())
@settings(max_examples=150)
def test_a_policy_is_read_back_as_it_was_written(document):
    policy = parse_policy(document)
    written = json.loads(json.dumps(policy.to_document()))

    assert parse_policy(written) == policy
    assert SCHEMA.is_valid(document)
    assert SCHEMA.is_valid(written)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def paths(value, path=()):
    """Every place inside a document."""
    yield path
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from paths(member, (*path, index))


def replaced(document, path, value):
    if not path:
        return value
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


@given(documents(), st.data(), JSON)
@settings(max_examples=200)
def test_a_document_with_anything_anywhere_is_read_or_refused_never_worse(document, data, value):
    path = data.draw(st.sampled_from(sorted(paths(document), key=repr)))
    changed = replaced(document, path, value)
    try:
        policy = parse_policy(changed)
    except PolicyError as error:
        problems = error.problems
    else:
        assert isinstance(policy, Policy)
        assert SCHEMA.is_valid(changed)
        assert parse_policy(policy.to_document()) == policy
        return
    assert problems
    assert all(p.path and p.got and p.allowed and p.change for p in problems)


@given(JSON)
@settings(max_examples=200)
def test_anything_is_read_or_refused(value):
    with pytest.raises(PolicyError):
        parse_policy(value)


def test_the_schema_of_cdk_json_holds_the_policys():
    whole = cdk_json_schema()
    shipped = json.loads((POLICIES.parents[1] / "cdk.json").read_text())

    jsonschema.Draft202012Validator.check_schema(whole)
    assert jsonschema.Draft202012Validator(whole).is_valid(shipped)
    shipped["context"]["rollback"]["mode"] = "on"
    assert not jsonschema.Draft202012Validator(whole).is_valid(shipped)


@pytest.mark.parametrize(("made", "name"), [(policy_schema, "rollback"), (cdk_json_schema, "cdk")])
def test_the_schemas_that_editors_read_are_those_of_the_types(made, name):
    """`make docs` writes them anew; what has changed then is seen in the commit."""
    shipped = POLICIES.parents[1] / "schema" / f"{name}.schema.json"

    assert made() == json.loads(shipped.read_text())


def test_both_kinds_of_measured_trigger_have_a_label():
    latency = Latency(statistic="p99", threshold_ms=1)

    assert (latency.label, ErrorRate(threshold_percent=1).label) == ("latency-p99", "error-rate")


def test_a_member_read_by_itself_must_have_its_own_kind():
    """Where the type is known already, `kind` is still checked."""
    reader = Reader()

    assert reader.read(ErrorRate, {"kind": "latency", "threshold_percent": 5}, "t") is None
    assert str(reader.problems[0]) == "t.kind: got 'latency'; allowed: 'error_rate'; use that word"


def test_the_schema_explains_every_field():
    def undocumented(schema, path=""):
        for name, field in schema.get("properties", {}).items():
            if "description" not in field:
                yield f"{path}.{name}"
            yield from undocumented(field, f"{path}.{name}")
            items = field.get("items", {})
            for inner in [items, *items.get("oneOf", [])]:
                yield from undocumented(inner, f"{path}.{name}[]")

    assert list(undocumented(policy_schema())) == []


def test_a_field_without_a_sentence_has_no_description():
    class Plain(Struct, frozen=True):
        word: str

    assert schema._object(Plain)["properties"] == {"word": {"type": "string"}}


@pytest.mark.parametrize("mode", ["observe", "approve", "enforce"])
def test_of_a_mode_that_cannot_be_read_nothing_is_said_to_collide(mode):
    document = a_policy().to_document()
    (shop,) = document["services"]
    (target,) = shop["targets"]
    blue = shop | {"name": "blue", "mode": mode, "targets": [target | {"alias": "blue"}]}
    document |= {"mode": "sometimes", "services": [shop, blue]}
    with pytest.raises(PolicyError) as found:
        parse_policy(document)

    assert [problem.path for problem in found.value.problems] == ["rollback.mode"]


class Worded(Struct, frozen=True):
    word: Literal["so"] | None = None


def test_both_kinds_of_union_are_read_and_described():
    """Of a Literal, Python before 3.14 makes the other kind."""
    assert get_origin(Literal["so"] | None) is Union
    assert Reader().read(Worded, {"word": "so"}, "") == Worded(word="so")
    assert schema._object(Worded)["properties"] == {"word": {"const": "so"}}


def test_of_a_mode_that_is_not_there_it_is_known_what_it_is():
    watched = TWO_OF_ONE[1] | {"mode": "enforce"}
    document = a_policy().to_document() | {"access": "magic", "services": [TWO_OF_ONE[0], watched]}
    del document["mode"]
    with pytest.raises(PolicyError) as found:
        parse_policy(document)

    paths = [problem.path for problem in found.value.problems]
    assert paths == ["rollback.access", "rollback.services[1].mode"]


def test_a_name_that_is_no_text_is_a_problem_like_any_other():
    assert "rollback.services[0].name" in problems_of(services=[TWO_OF_ONE[0] | {"name": []}])


TWO_OF_ONE = [
    {
        "name": name,
        "targets": [{"kind": "lambda_alias", "function": "shop", "alias": name}],
        "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
    }
    for name in ("live", "beta")
]


def test_a_services_own_mode_collides_with_that_of_the_policy():
    watched = TWO_OF_ONE[1] | {"mode": "observe"}

    assert a_policy(mode="observe", services=[TWO_OF_ONE[0], watched])
    with pytest.raises(PolicyError, match="let all aliases of one function be touched, or none"):
        a_policy(mode="enforce", services=[TWO_OF_ONE[0], watched])


def problems_of(**changes):
    """What is wrong with a policy that cannot be read as a whole."""
    with pytest.raises(PolicyError) as refused:
        a_policy(**{"access": "magic"} | changes)
    return [problem.path for problem in refused.value.problems]


def test_conflicts_are_told_although_something_else_is_wrong():
    short = TWO_OF_ONE[0] | {"verification": {"healthy_minutes": 5, "deadline_minutes": 9}}
    healthy = "rollback.services[0].verification.healthy_minutes"
    drills = {"drills": {}}

    assert problems_of() == ["rollback.access"]
    # They hang on the guardrails and on the environment, as far as these can be read.
    assert problems_of(services=[short]) == ["rollback.access"]
    assert healthy in problems_of(services=[short], guardrails={"metric_lag_minutes": 4})
    assert "rollback.drills" in problems_of(**drills)
    assert "rollback.drills" not in problems_of(environment="staging", **drills)
    watched = TWO_OF_ONE[1] | {"mode": "observe"}
    assert "rollback.services[1].mode" in problems_of(services=[TWO_OF_ONE[0], watched])


def test_of_an_environment_that_is_not_there_nothing_is_said():
    document = a_policy().to_document() | {"drills": {}}
    del document["environment"]
    with pytest.raises(PolicyError) as refused:
        parse_policy(document)

    assert [problem.path for problem in refused.value.problems] == ["rollback.environment"]


def test_a_name_or_a_length_is_taken_up_to_its_limit():
    def siblings(count):
        names = [f"s{number}" for number in range(count)]
        service = TWO_OF_ONE[0] | {"siblings": names}
        others = [
            TWO_OF_ONE[0]
            | {"name": name, "targets": [{"kind": "lambda_alias", "function": name, "alias": "a"}]}
            for name in names
        ]
        return a_policy(services=[service, *others])

    def alarm_of(length):
        name, function = "s" * 40, "f" * 64
        rest = length - len(f"rollback.prod.{name}.{function}..error-rate")
        target = {"kind": "lambda_alias", "function": function, "alias": "a" * rest}
        service = TWO_OF_ONE[0] | {"name": name, "targets": [target]}
        (entry,) = a_policy(services=[service]).watched()
        return entry.alarm_name

    assert len(alarm_of(naming.LONGEST_ALARM_NAME)) == naming.LONGEST_ALARM_NAME
    with pytest.raises(PolicyError, match="a name of 256 characters"):
        alarm_of(naming.LONGEST_ALARM_NAME + 1)
    assert len(siblings(20).services[0].siblings) == 20
    with pytest.raises(PolicyError, match="at most 20"):
        siblings(21)


def test_every_trigger_of_a_function_is_held_to_one_log_format():
    timeouts = {"kind": "timeouts", "threshold_percent": 5}
    rate = {"kind": "error_rate", "threshold_percent": 5}
    service = TWO_OF_ONE[0] | {
        "triggers": [
            timeouts | {"log_format": "text"},
            rate,
            timeouts | {"name": "again", "log_format": "json"},
        ]
    }
    with pytest.raises(PolicyError, match=r"triggers\[2\].log_format"):
        a_policy(services=[service])


def test_access_is_by_name_unless_the_policy_says_by_tags():
    assert a_policy().access is Access.NAMES
    assert a_policy(access="tags").access is Access.TAGS
    assert naming.target_tag("prod") == "rollback-target-prod"
    # Tags of a resource: a key has at most 128 characters (AWS general reference).
    assert len(naming.target_tag("e" * 20)) <= 128
