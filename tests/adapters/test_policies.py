"""The look-up by the index equals the look-up in the whole policy, for any policy and any name."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.errors import PolicyError
from rollback_responder.domain.policy import parse_policy, parse_service
from rollback_responder.gauge import siblings_of
from rollback_responder.policies import IndexedPolicy, WholePolicy, index_of
from tests.builders import NOW, a_policy
from tests.unit.test_policy import GOOD, case, documents


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "policy.index"

    def write(policy):
        # A new file each time: a mapped one must not change.
        path.unlink(missing_ok=True)
        path.write_bytes(index_of(policy))
        return IndexedPolicy(path)

    return write


def assert_the_same(policy, index):
    whole = WholePolicy(policy)
    for entry in policy.watched():
        part, all_of_it = index.part(entry.alarm_name), whole.part(entry.alarm_name)
        assert part.watched == all_of_it.watched == entry
        assert replace(part.policy, services=()) == replace(policy, services=()) == index.head
        named = {entry.service.name, *entry.service.siblings}
        assert {s.name: s for s in part.policy.services} == {
            s.name: s for s in policy.services if s.name in named
        }
        asked = (entry.service, {}, NOW)
        assert siblings_of(part.policy, *asked) == siblings_of(policy, *asked)
    assert set(index.kinds) == {t.kind for s in policy.services for t in s.targets}


@given(document=documents())
@settings(max_examples=150)
def test_for_any_policy_the_index_finds_what_the_whole_policy_has(indexed, document):
    policy = parse_policy(document)

    assert_the_same(policy, indexed(policy))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_same_for_the_known_good_policies(indexed, path):
    policy = parse_policy(case(path)["policy"])

    assert_the_same(policy, indexed(policy))


@given(document=documents(), name=st.text(max_size=30), data=st.data())
@settings(max_examples=100)
def test_a_name_that_no_service_has_is_found_by_neither(indexed, document, name, data):
    policy = parse_policy(document)
    known = [entry.alarm_name for entry in policy.watched()]
    near = data.draw(st.sampled_from(known))
    index, whole = indexed(policy), WholePolicy(policy)

    for asked in {name, near[:-1], near + "x", near + "\t", near + '"', near + "\n"} - set(known):
        assert index.part(asked) is None
        assert whole.part(asked) is None


def test_the_same_policy_gives_the_same_index():
    policy = a_policy()

    assert index_of(policy) == index_of(parse_policy(policy.to_document()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "policy.index: got FileNotFoundError"),
        (b"", "policy.index: got ValueError"),
        (b"{}\n", "policy.index: got KeyError"),
        (b'["head"]\t{\n', "policy.index: got JSONDecodeError"),
        (
            b'["head"]\t{"first":"shop","kinds":[],"policy":{}}\n["service","shop"]\t{}\n',
            "rollback.environment: got nothing",
        ),
    ],
    ids=["missing", "empty", "no index", "not JSON", "not a policy"],
)
def test_a_broken_index_names_itself(tmp_path, content, said):
    path = tmp_path / "policy.index"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(PolicyError, match=re.escape(said)):
        IndexedPolicy(path)


def test_a_service_that_is_missing_in_the_index_names_itself(tmp_path):
    services = [case(GOOD[0])["policy"]["services"][0] | {"name": name} for name in ("a", "b")]
    services[1] |= {"targets": [{"kind": "cloudformation_stack", "stack": "b"}]}
    services[1] |= {"triggers": [{"kind": "alarm", "name": "b is broken"}]}
    path = tmp_path / "policy.index"
    lines = index_of(a_policy(services=services)).splitlines(keepends=True)
    path.write_bytes(b"".join(ln for ln in lines if not ln.startswith(b'["service","b"]')))

    with pytest.raises(PolicyError, match=r"policy\.index: got KeyError"):
        IndexedPolicy(path).part("b is broken")


def test_a_service_by_itself_is_read_or_refused():
    (service,) = a_policy().services
    document = a_policy().to_document()["services"][0]

    assert parse_service(document) == service
    with pytest.raises(PolicyError, match=r"rollback\.services\.targets: got nothing"):
        parse_service({"name": "shop"})
