"""What services look like: one policy for each shape, parsed once."""

from functools import cache

from rollback_responder.domain.policy import parse_policy

ALIAS = {"kind": "lambda_alias", "alias": "live"}
GROUP = {"kind": "codedeploy_group", "application": "apps"}
STACK = {"kind": "cloudformation_stack"}
ERRORS = {"kind": "error_rate", "threshold_percent": 5}


def _alias(name):
    return [ALIAS | {"function": name}]


def _group(name, **more):
    return [*_alias(name), GROUP | {"group": name} | more]


def _stack(name, **more):
    return [*_alias(name), STACK | {"stack": name} | more]


def _driven(name):
    return [*_group(name), STACK | {"stack": name}]


def _stacks(name):
    first, *others = (STACK | {"stack": f"{name}-{n}"} for n in ("api", "workflow", "database"))
    return [first | {"continue_rollback": True}, *others]


SHAPES = {
    "alias": _alias,
    "group": _group,
    "redeploy": lambda name: _group(name, after_success="redeploy"),
    "stack": _stack,
    "driven": _driven,
    "stacks": _stacks,
}


def service(shape, name, **more):
    triggers = [ERRORS]
    if shape == "stacks":
        triggers = [{"kind": "alarm", "name": name, "when_unmeasurable": "trust_alarm"}]
    return {"name": name, "targets": SHAPES[shape](name), "triggers": triggers} | more


@cache
def policy_of(shapes, *, budget=10, after_failure="stop", mode="enforce"):
    """One policy for services of these shapes, named a, b, ..."""
    services = [
        service(shape, name, after_failure=after_failure)
        for shape, name in zip(shapes, "abcdef", strict=False)
    ]
    return parse_policy(
        {
            "environment": "sim",
            "mode": mode,
            "slack": {"channel": "#deploys"},
            "guardrails": {
                "bake_minutes": 5,
                "metric_lag_minutes": 0,
                "cooldown_minutes": 5,
                "recheck_minutes": 10,
                "rollbacks_an_hour": budget,
            },
            "services": services,
        }
    )


def shape_of(policy, name):
    """The shape of a service, by what it has."""
    found = next(service for service in policy.services if service.name == name)
    kinds = [target.kind for target in found.targets]
    redeploys = any(getattr(target, "after_success", "") == "redeploy" for target in found.targets)
    if "lambda_alias" not in kinds:
        return "stacks"
    if "codedeploy_group" in kinds and "cloudformation_stack" in kinds:
        return "driven"
    if "codedeploy_group" in kinds:
        return "redeploy" if redeploys else "group"
    return "stack" if "cloudformation_stack" in kinds else "alias"
