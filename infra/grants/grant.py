"""Grants as values, packed into as few managed policies as IAM's limits allow."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.nag import acknowledge
from rollback_responder.domain.errors import RollbackError

# IAM quotas: characters of a managed policy, spaces not counted; managed policies of a role.
LONGEST_POLICY = 6144
MOST_POLICIES = 10
# The longest value that each pseudo parameter takes in any region, so that a policy fits wherever
# the template is deployed.
LONGEST_VALUES = {
    Aws.PARTITION: "aws-us-gov",
    Aws.REGION: "ap-southeast-1",
    Aws.ACCOUNT_ID: "000000000000",
}

# How cdk-nag writes pseudo parameters in its findings.
NAG_NAMES = {
    Aws.PARTITION: "<AWS::Partition>",
    Aws.REGION: "<AWS::Region>",
    Aws.ACCOUNT_ID: "<AWS::AccountId>",
}


class GrantError(RollbackError):
    """More targets than one role can be allowed to touch, or more senders than a queue knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Some actions on some resources. A resource is an ARN, its account and region left open.

    `without` names condition keys that a request must not have, `tagged` the key of a tag that the
    resource must have, with one of the values after it.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    without: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()

    def with_actions(self, *more: str) -> Self:
        """The same grant for more actions."""
        return replace(self, actions=(*self.actions, *more))


def allow(resource: str, *actions: str) -> iam.PolicyStatement:
    """A statement on one resource of this stack."""
    return iam.PolicyStatement(actions=list(actions), resources=[resource])


def grant_to(role: iam.Role, scope: Construct, grants: Iterable[Grant]) -> list[iam.ManagedPolicy]:
    """Attaches the grants to the role.

    Raises:
        GrantError: they pass what IAM lets one role hold.
    """
    packed = pack(grants)
    if len(packed) > MOST_POLICIES:
        raise GrantError(
            f"{len(packed)} managed policies are needed to allow {role.node.path} its targets, "
            f"IAM lets a role have {MOST_POLICIES}; part the services into two environments, or "
            "grant by tags: docs/growth.md says how many each takes"
        )
    policies = []
    for number, document in enumerate(packed, start=1):
        policy = iam.ManagedPolicy(
            scope,
            f"Targets{number}",
            statements=[
                iam.PolicyStatement(
                    actions=list(one.actions),
                    resources=list(one.resources),
                    conditions=_conditions(one),
                )
                for one in document
            ],
        )
        role.add_managed_policy(policy)
        _explain_stars(policy, document)
        policies.append(policy)
    return policies


def pack(grants: Iterable[Grant]) -> list[list[Grant]]:
    """The grants, those of equal actions as one statement, parted where a policy would be full."""
    resources: dict[Grant, dict[str, None]] = {}
    for grant in grants:
        bare = replace(grant, resources=())
        resources.setdefault(bare, {}).update(dict.fromkeys(grant.resources))
    documents: list[dict[Grant, list[str]]] = []
    size = LONGEST_POLICY
    for bare, arns in resources.items():
        for arn in arns:
            # Counts a new statement for each ARN of a new policy or new actions only.
            fresh = not documents or bare not in documents[-1]
            more = _length(arn) + (_statement_length(bare) if fresh else 0)
            if size + more > LONGEST_POLICY:
                documents.append({})
                size = len(_json({"Version": "2012-10-17", "Statement": []}))
                more = _length(arn) + _statement_length(bare)
            documents[-1].setdefault(bare, []).append(arn)
            size += more
    return [
        [replace(bare, resources=tuple(arns)) for bare, arns in document.items()]
        for document in documents
    ]


def _reason(grant: Grant, arn: str) -> str:
    if grant.tagged:
        key, *values = grant.tagged
        return (
            f"The star stands for those whose team has tagged them {key}: {' or '.join(values)}; "
            "the statement's condition asks for it."
        )
    if ":stack/" in arn:
        return (
            "The star stands for the id that CloudFormation gives to one stack of the policy, "
            "anew each time it is created."
        )
    if ":alarm-mute-rule:" in arn:
        return "The star stands for the mute rules of people, to read which ones are active only."
    return (
        "The star stands for the versions of one function of the policy, to read only; "
        "which versions there will be, later deploys decide."
    )


def _conditions(grant: Grant) -> dict[str, dict[str, Any]] | None:
    """IAM's `Null` operator: the key must be absent from the request."""
    conditions: dict[str, dict[str, Any]] = {}
    if grant.without:
        conditions["Null"] = dict.fromkeys(grant.without, "true")
    if grant.tagged:
        key, *values = grant.tagged
        conditions["StringEquals"] = {f"aws:ResourceTag/{key}": values}
    return conditions or None


def _explain_stars(policy: iam.ManagedPolicy, document: Iterable[Grant]) -> None:
    for grant, arn in ((g, arn) for g in document for arn in g.resources if "*" in arn):
        named = arn
        for token, name in NAG_NAMES.items():
            named = named.replace(token, name)
        acknowledge(
            policy,
            finding=f"IAM5[Resource::{named}]",
            reason=_reason(grant, arn),
        )


def _statement_length(grant: Grant) -> int:
    statement = {"Action": list(grant.actions), "Effect": "Allow", "Resource": []}
    conditions = _conditions(grant)
    return len(_json(statement | ({"Condition": conditions} if conditions else {}))) + 1


def _length(arn: str) -> int:
    for token, longest in LONGEST_VALUES.items():
        arn = arn.replace(token, longest)
    return len(_json(arn)) + 1


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
