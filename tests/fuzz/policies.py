"""Input: the policy, as an object of `cdk.json` and as the string that `cdk -c` gives."""

import json
from pathlib import Path
from types import SimpleNamespace

from infra.context import ContextError, read_policy
from rollback_responder.domain.errors import PolicyError
from rollback_responder.domain.policy import Policy, parse_policy
from rollback_responder.policies import index_of
from tests.fuzz.checks import expect
from tests.fuzz.noise import expanded

NAME, SHARE = "policies", 0.29
FOLDER = Path(__file__).parents[1] / "policies"
LONGEST_ERROR = 400_000


def _documents():
    found = []
    for path in sorted(FOLDER.glob("*/*.json")):
        try:
            document = json.loads(path.read_text())
        except ValueError:
            continue
        # Large ones would take all the time.
        if len(path.read_text()) < 20_000:
            found.append(document)
    return found


DOCUMENTS = _documents()


def make(noise):
    draw = noise.random.random()
    if draw < 0.003:
        return {"context": noise.bomb()}
    if draw < 0.01:
        return {"document": noise.nested(deepest=150)}
    if draw < 0.05:
        return {"document": noise.value()}
    document = noise.one(DOCUMENTS)
    if draw > 0.08:
        document = noise.mutated(document, times=1 + int(noise.random.random() * 3))
    if noise.chance(0.2):
        text = json.dumps(document)
        return {"context": noise.torn(text) if noise.chance(0.5) else text}
    return {"document": document}


def run(case, stage):
    """Either a policy, or every problem of it in words."""
    del stage
    if "context" in case:
        text = expanded(case["context"])
        node = SimpleNamespace(try_get_context=lambda _: text)
        return _read(lambda: read_policy(SimpleNamespace(node=node)))
    document = expanded(case["document"])
    return _read(lambda: parse_policy(document))


def _read(read):
    try:
        policy = read()
    except ContextError as error:
        expect(len(str(error)) < LONGEST_ERROR, "an error without end")
        return "no JSON"
    except PolicyError as error:
        expect(error.problems, "an error without a problem")
        expect(len(str(error)) < LONGEST_ERROR, "an error without end")
        str(error).encode()
        return "refused"
    expect(isinstance(policy, Policy), f"a policy is {type(policy)}")
    expect(parse_policy(policy.to_document()) == policy, "a policy does not read back")
    index_of(policy)
    return "taken"
