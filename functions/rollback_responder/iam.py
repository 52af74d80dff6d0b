"""What IAM says that the role of `respond` may do; nothing is done to find out.

Fact relied on (IAM API reference, as in the SDK's service model): SimulatePrincipalPolicy answers
for each action and resource, page by page, by all policies that the role has.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain import naming
from rollback_responder.domain.errors import ActionError
from rollback_responder.domain.permissions import Need, needs_of
from rollback_responder.domain.policy import Access, Policy
from rollback_responder.domain.readiness import PermissionFacts
from rollback_responder.pages import pages


class RolePermissions:
    """The permissions of one role; `client` is one of IAM."""

    def __init__(self, client: Any, *, role_arn: str, account_id: str, region: str) -> None:
        self._client = client
        self._role_arn = role_arn
        self._partition = role_arn.split(":", 2)[1]
        self._here = f"{region}:{account_id}"

    def facts(self, policy: Policy) -> tuple[PermissionFacts, ...]:
        """IAM's word on each need of the policy. One call, and its pages, for each resource.

        Raises:
            ActionError: IAM could not be asked.
        """
        needs: dict[str, list[Need]] = {}
        for need in needs_of(policy):
            resource = need.resource.replace("{partition}", self._partition)
            filled = replace(need, resource=resource.replace("{here}", self._here))
            needs.setdefault(filled.resource, []).append(filled)
        return tuple(
            PermissionFacts(need=need, decision=decisions.get(need.action, "no answer"))
            for resource, wanted in needs.items()
            for decisions in [self._decisions(resource, wanted, _tagged(policy))]
            for need in wanted
        )

    def _decisions(
        self, resource: str, needs: Iterable[Need], context: dict[str, Any]
    ) -> dict[str, str]:
        try:
            asking = partial(
                self._client.simulate_principal_policy,
                PolicySourceArn=self._role_arn,
                ActionNames=sorted({need.action for need in needs}),
                ResourceArns=[resource],
                **context,
            )
            return {
                result["EvalActionName"]: result["EvalDecision"]
                for page in pages(asking, "Marker")
                for result in page["EvaluationResults"]
            }
        except AwsError as error:
            raise ActionError(f"SimulatePrincipalPolicy: {name_of(error)}") from error


def _tagged(policy: Policy) -> dict[str, Any]:
    """By tags, IAM is asked as if the tag were there; the watcher finds where it is not."""
    if policy.access is Access.NAMES:
        return {}
    entry = {
        "ContextKeyName": f"aws:ResourceTag/{naming.target_tag(policy.environment)}",
        "ContextKeyValues": [naming.MAY_ACT],
        "ContextKeyType": "string",
    }
    return {"ContextEntries": [entry]}
