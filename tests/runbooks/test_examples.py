"""Each example is a policy that can be deployed, and what the documents say of it is there."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from house import ACCOUNT, REGION, model_alarms
from local.aws_model.alarm import Actions
from local.aws_model.alarm_book import Account
from local.aws_model.alarms_from_template import read
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.domain.reason import Reason
from rollback_responder.domain.response import Mode
from rollback_responder.domain.schema import cdk_json_schema
from rollback_responder.domain.trigger import AdoptedAlarm
from tests.runbooks.team_house import EXAMPLES, document_of

NAMES = sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.json"))
PAGE = EXAMPLES.parent / "docs" / "runbooks.md"
SCHEMA = cdk_json_schema()


def policy_of(name: str) -> Policy:
    return parse_policy(document_of(name)["context"]["rollback"])


def test_there_are_examples_of_all_five_runbooks():
    assert {name[0] for name in NAMES} == {"1", "2", "3", "4", "5"}


# -- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_policy_and_reads_back_to_itself(name):
    policy = policy_of(name)

    assert parse_policy(policy.to_document()) == policy


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_by_the_schema_that_it_names(name):
    document = document_of(name)

    jsonschema.validate(document, SCHEMA)
    assert (EXAMPLES / name).parent.joinpath(document["$schema"]).exists()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_which_environment_it_is_for(name):
    assert policy_of(name).environment == Path(name).stem


@pytest.mark.parametrize("page", sorted(EXAMPLES.rglob("*.md")), ids=lambda page: page.parent.name)
def test_every_link_of_the_pages_beside_the_examples_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_can_begin_by_observing(name):
    """The page of the examples says so: everything stays as it is but the one word."""
    document = document_of(name)["context"]["rollback"]

    assert parse_policy(document | {"mode": "observe"}).mode is Mode.OBSERVE


@pytest.fixture(scope="session", params=NAMES)
def synthesis(request, synthesise):
    return synthesise(document_of(request.param)["context"]["rollback"])


def test_an_example_synthesises_with_the_alarms_of_its_policy(synthesis):
    """What the stories prove in memory, they prove of the alarms that would be deployed."""
    account = Account(id=ACCOUNT, region=REGION)
    made = {
        alarm.name: _core(replace(alarm, actions=Actions(), description=None))
        for template in synthesis.alarm_stacks
        for alarm in read(template.document, account=account)
    }

    assert made == {alarm.name: _core(alarm) for alarm in model_alarms(synthesis.policy)}


def test_an_example_makes_no_alarm_that_it_adopts(synthesis):
    adopted = {
        watched.alarm_name
        for watched in synthesis.policy.watched()
        if isinstance(watched.trigger, AdoptedAlarm)
    }

    assert adopted.isdisjoint(synthesis.alarms())


def _core(alarm):
    """All that decides when it fires; what a query that returns data is called does not."""
    queries = frozenset((q.stat, q.expression, q.return_data) for q in alarm.metrics)
    return {f.name: getattr(alarm, f.name) for f in fields(alarm)} | {
        "metrics": queries,
        "threshold_metric_id": alarm.threshold_metric_id is not None,
    }


# -- what docs/runbooks.md says of them -----------------------------------------------------------


class Quoted(NamedTuple):
    """A path that a line of the page quotes, the file it speaks of, and the number it says."""

    line: int
    path: str
    file: str
    said: str | None


LINK = re.compile(r"\]\(\.\./examples/([^)\s]+\.json)\)")
PATH = r"(?:services\[\d+\]|guardrails|responses|slack|health)(?:\[\d+\]|\.\w+)+"
QUOTED = re.compile(rf"`({PATH})`(?:, (\d+(?:\.\d+)?)\b)?|{LINK.pattern}")


def quoted(text: str) -> Iterator[Quoted]:
    """A section speaks of the file that it names first; a row that names another one, of that."""
    file = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("## "):
            file = ""
        spoken_of = file
        for found in QUOTED.finditer(line):
            path, said, link = found.groups()
            file = link if file == "" else file
            spoken_of = link or spoken_of
            # Before its first section the page explains how it is to be read.
            if path and spoken_of is not None:
                yield Quoted(number, path, spoken_of, said)


def problem_of(quote: Quoted) -> str | None:
    """What is wrong with a path that the page quotes, or with the number that it says."""
    where = f"line {quote.line}: {quote.path}"
    if not quote.file:
        return f"{where}: the section names no file"
    found: Any = document_of(quote.file)["context"]["rollback"]
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", quote.path):
        try:
            found = found[name] if name and not name.isdigit() else found[int(index or name)]
        except (KeyError, IndexError, TypeError):
            return f"{where} is not in {quote.file}"
    if quote.said is not None and found != float(quote.said):
        return f"{where} is {found} in {quote.file}, not {quote.said}"
    return None


def test_every_path_that_the_page_quotes_stands_in_the_file_that_it_names():
    quotes = list(quoted(PAGE.read_text()))

    assert [problem for quote in quotes if (problem := problem_of(quote))] == []
    assert {quote.file[:1] for quote in quotes} == {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("`services[0].triggers[99]`", "is not in 1-forum-addon/prod.json"),
        ("`guardrails.bake_minutes`, 241", "is 240 in 1-forum-addon/prod.json, not 241"),
        ("`services[0].targets[0].stack`", "is not in 1-forum-addon/prod.json"),
        (
            "[it](../examples/5-ecs-api/production.json) `services[0].targets[1]`",
            "is not in 5-ecs-api/production.json",
        ),
    ],
)
def test_a_wrong_path_is_found(row, problem):
    (quote,) = quoted(f"## 1\n[prod](../examples/1-forum-addon/prod.json)\n{row}")

    assert problem_of(quote).endswith(problem)


def test_every_word_that_the_page_quotes_is_a_word_of_the_policy_or_a_reason():
    known = {reason.value for reason in Reason} | _names(SCHEMA)
    words = re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", PAGE.read_text())

    assert [word for word in words if word not in known] == []


def _names(schema: object) -> set[str]:
    """Every name of a member, and every word that one may have as its value."""
    if isinstance(schema, list):
        return {name for each in schema for name in _names(each)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["const"]} if "const" in schema else set(schema.get("enum", ()))
    members = schema.get("properties", {})
    return own | set(members) | {name for each in schema.values() for name in _names(each)}
