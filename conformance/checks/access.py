"""How IAM decides. Source of all: Service Authorization Reference."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from conformance import making
from conformance.check import Check, Seen, Verdict, verdict
from conformance.checks import stacks
from conformance.lab import TAG, Lab
from conformance.making import Json

ALIAS_ACTIONS = ("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetFunctionConfiguration")
STACK_ACTIONS = (
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:CancelUpdateStack",
)
OTHER = "another-run"


def tagged(actions: tuple[str, ...], resources: list[str], value: str) -> Json:
    """A statement on what has the run's tag with this value."""
    condition = {"StringEquals": {f"aws:ResourceTag/{TAG}": value}}
    return making.allow(actions, resources, Condition=condition)


class _ByTag(Check[Json]):
    assumes = (
        "Lambda and CloudFormation evaluate `aws:ResourceTag` for every action granted by tag, "
        "also on a function's version"
    )
    meanwhile = "only by opt-in; what cannot be read is told by `targets-unwatched`"
    source = "The reference lists the key for their resource types; it was never seen."
    minutes = 8

    @abstractmethod
    def calls(self, client: Any, made: Json) -> Mapping[str, Callable[[], Any]]:
        """One call for each action."""

    @abstractmethod
    def rights(self, lab: Lab, made: Json, value: str) -> tuple[str, Json]:
        """The service, and the statement for a tag's value."""

    def observe(self, lab: Lab, made: Json) -> Seen:
        seen: dict[str, dict[str, str]] = {}
        for suffix, value in (("fits", lab.run), ("differs", OTHER)):
            service, statement = self.rights(lab, made, value)
            client = making.acting(lab, f"{self.key}-{suffix}", statement)(service)
            patience = making.permitted if suffix == "fits" else making.denied
            calls = self.calls(client, made)
            seen[suffix] = {action: patience(lab, call) for action, call in calls.items()}
        return {"where_the_tag": seen}

    def tell(self, seen: Seen) -> Verdict:
        found = seen["where_the_tag"]
        allowed = all(came not in making.DENIED for came in found["fits"].values())
        return verdict(
            holds=allowed and all(came in making.DENIED for came in found["differs"].values())
        )


class LambdaByTag(_ByTag):
    """Functions, their aliases and versions."""

    key = "tags-lambda"
    does = "Two roles with the tag's right and a wrong value make every call on an alias."
    makes = "a function with an alias, its log group, three roles"

    def create(self, lab: Lab) -> Json:
        return making.alias(lab, making.function(lab, self.key))

    def rights(self, lab: Lab, made: Json, value: str) -> tuple[str, Json]:
        arn = lab.account.arn_of("lambda", f"function:{made['FunctionName']}")
        return "lambda", tagged(ALIAS_ACTIONS, [arn, f"{arn}:*"], value)

    def calls(self, client: Any, made: Json) -> Mapping[str, Callable[[], Any]]:
        name = made["FunctionName"]
        return {
            "lambda:GetAlias": lambda: client.get_alias(**made),
            "lambda:UpdateAlias": lambda: client.update_alias(**made, Description="by tag"),
            "lambda:GetFunctionConfiguration": lambda: client.get_function_configuration(
                FunctionName=name, Qualifier="1"
            ),
        }


class StackByTag(_ByTag):
    """Stacks. A cancel of a stack at rest is refused for that reason once it is permitted."""

    key = "tags-stack"
    does = "Two roles with the tag's right and a wrong value make every call on a stack."
    makes = "a stack with one parameter of Systems Manager, two roles"
    cents = 0

    def create(self, lab: Lab) -> Json:
        return {"StackName": making.stack(lab, self.key, stacks.template("first"))}

    def rights(self, lab: Lab, made: Json, value: str) -> tuple[str, Json]:
        arn = lab.account.arn_of("cloudformation", f"stack/{made['StackName']}/*")
        return "cloudformation", tagged(STACK_ACTIONS, [arn], value)

    def calls(self, client: Any, made: Json) -> Mapping[str, Callable[[], Any]]:
        return {
            "cloudformation:DescribeStackEvents": lambda: client.describe_stack_events(**made),
            "cloudformation:DescribeStacks": lambda: client.describe_stacks(**made),
            "cloudformation:CancelUpdateStack": lambda: client.cancel_update_stack(**made),
        }


class SimulationIsRight(Check[Json]):
    """`rollback check` asks IAM so, and the watcher each day."""

    key = "simulate"
    assumes = "`SimulatePrincipalPolicy` decides as IAM does, with a tag given as context"
    source = "IAM API reference, SimulatePrincipalPolicy; with resource tags it was never seen."
    does = "A role's right by tag is simulated with the right and a wrong value, and used."
    meanwhile = "it warns only, in `rollback check` and each day; no decision rests on it"
    makes = "a function with an alias, its log group, two roles"
    minutes = 5

    def create(self, lab: Lab) -> Json:
        return making.alias(lab, making.function(lab, self.key))

    def observe(self, lab: Lab, made: Json) -> Seen:
        arn = lab.account.arn_of("lambda", f"function:{made['FunctionName']}")
        statement = tagged(("lambda:UpdateAlias",), [arn], lab.run)
        client = making.acting(lab, "simulate-narrow", statement)("lambda")
        iam = lab.clients("iam")
        role = iam.get_role(RoleName=lab.name("simulate-narrow"))["Role"]["Arn"]

        def decided(value: str) -> str:
            answer = iam.simulate_principal_policy(
                PolicySourceArn=role,
                ActionNames=["lambda:UpdateAlias"],
                ResourceArns=[arn],
                ContextEntries=[
                    {
                        "ContextKeyName": f"aws:ResourceTag/{TAG}",
                        "ContextKeyValues": [value],
                        "ContextKeyType": "string",
                    }
                ],
            )
            return str(answer["EvaluationResults"][0]["EvalDecision"])

        came = making.permitted(lab, lambda: client.update_alias(**made, Description="by tag"))
        return {"right_tag": decided(lab.run), "wrong_tag": decided(OTHER), "real_call": came}

    def tell(self, seen: Seen) -> Verdict:
        found = (seen["right_tag"], seen["wrong_tag"], seen["real_call"])
        return verdict(holds=found == ("allowed", "implicitDeny", "done"))
