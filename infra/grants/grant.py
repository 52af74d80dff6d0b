"""Grants as values, packed into as few managed policies as IAM's limits allow."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
    """More targets than one role can be allowed to touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Some actions on some resources. A resource is an ARN, its account and region left open."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


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
            f"IAM lets a role have {MOST_POLICIES}; part the services into two environments"
        )
    policies = []
    for number, document in enumerate(packed, start=1):
        policy = iam.ManagedPolicy(
            scope,
            f"Targets{number}",
            statements=[
                iam.PolicyStatement(actions=list(one.actions), resources=list(one.resources))
                for one in document
            ],
        )
        role.add_managed_policy(policy)
        _explain_stars(policy, document)
        policies.append(policy)
    return policies


def pack(grants: Iterable[Grant]) -> list[list[Grant]]:
    """The grants, those of equal actions as one statement, parted where a policy would be full."""
    resources: dict[tuple[str, ...], dict[str, None]] = {}
    for grant in grants:
        resources.setdefault(grant.actions, {}).update(dict.fromkeys(grant.resources))
    documents: list[dict[tuple[str, ...], list[str]]] = []
    size = LONGEST_POLICY
    for actions, arns in resources.items():
        for arn in arns:
            # Counts a new statement for each ARN of a new policy or new actions only.
            fresh = not documents or actions not in documents[-1]
            more = _length(arn) + (_statement_length(actions) if fresh else 0)
            if size + more > LONGEST_POLICY:
                documents.append({})
                size = len(_json({"Version": "2012-10-17", "Statement": []}))
                more = _length(arn) + _statement_length(actions)
            documents[-1].setdefault(actions, []).append(arn)
            size += more
    return [
        [Grant(actions=actions, resources=tuple(arns)) for actions, arns in document.items()]
        for document in documents
    ]


def _explain_stars(policy: iam.ManagedPolicy, document: Iterable[Grant]) -> None:
    for arn in (arn for grant in document for arn in grant.resources if "*" in arn):
        named = arn
        for token, name in NAG_NAMES.items():
            named = named.replace(token, name)
        acknowledge(
            policy,
            finding=f"IAM5[Resource::{named}]",
            reason="The star stands for the versions of one function of the policy, to read only; "
            "which versions there will be, later deploys decide.",
        )


def _statement_length(actions: tuple[str, ...]) -> int:
    return len(_json({"Action": list(actions), "Effect": "Allow", "Resource": []})) + 1


def _length(arn: str) -> int:
    for token, longest in LONGEST_VALUES.items():
        arn = arn.replace(token, longest)
    return len(_json(arn)) + 1


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
