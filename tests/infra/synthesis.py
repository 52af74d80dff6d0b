"""One policy that has everything, and what its synthesis leaves in a folder."""

from pathlib import Path

from aws_cdk import App

from infra.stacks import build
from rollback_responder.domain.policy import Policy
from tests.infra.deployed import Template

POLICY = {
    "environment": "test",
    "mode": "enforce",
    "slack": {"channel": "#deploys"},
    "health": {"emails": ["oncall@example.com"]},
    "services": [
        {
            "name": "checkout",
            "targets": [
                {"kind": "lambda_alias", "function": "checkout", "alias": "live"},
                {"kind": "lambda_alias", "function": "checkout-worker", "alias": "live"},
            ],
            "triggers": [
                {"kind": "error_rate", "threshold_percent": 2.5, "minutes": 5},
                {"kind": "latency", "statistic": "p95", "threshold_ms": 1500},
                {"kind": "latency", "statistic": "average", "threshold_ms": 400},
            ],
        },
        {
            "name": "search",
            "mode": "observe",
            "targets": [
                {"kind": "lambda_alias", "function": "search", "alias": "prod"},
                {"kind": "codedeploy_group", "application": "search", "group": "prod"},
                {"kind": "cloudformation_stack", "stack": "search", "continue_rollback": True},
            ],
            "triggers": [
                {"kind": "error_rate", "threshold_percent": 5},
                {"kind": "alarm", "name": "search is broken (composite)"},
            ],
        },
        {
            "name": "payments",
            "after_failure": "go_on",
            "targets": [
                {
                    "kind": "codedeploy_group",
                    "application": "payments",
                    "group": "live",
                    "after_success": "redeploy",
                },
                {"kind": "cloudformation_stack", "stack": "payments", "continue_rollback": True},
                {"kind": "lambda_alias", "function": "payments", "alias": "live"},
            ],
            "triggers": [{"kind": "error_rate", "threshold_percent": 5}],
        },
        {
            "name": "ledger",
            "targets": [
                {"kind": "codedeploy_group", "application": "ledger", "group": "live"},
                {"kind": "codedeploy_group", "application": "ledger", "group": "batch"},
                {"kind": "cloudformation_stack", "stack": "ledger"},
            ],
            "triggers": [{"kind": "alarm", "name": "ledger is broken"}],
        },
    ],
}


class Synthesis:
    """What one synthesis left in its folder."""

    def __init__(self, policy: Policy, folder: Path):
        self.policy = policy
        self.folder = folder
        app = App(
            analytics_reporting=False,
            outdir=str(folder),
            context={"aws:cdk:enable-path-metadata": True},
        )
        build(app, policy)
        app.synth()
        self.templates = {
            path.name.removesuffix(".template.json"): Template(path)
            for path in sorted(folder.glob("*.template.json"))
        }
        self.responder = self.templates[f"RollbackResponder-{policy.environment}"]
        self.alarm_stacks = [
            template for name, template in self.templates.items() if name.startswith("RollbackA")
        ]

    def alarms(self) -> dict[str, dict]:
        """Properties of the services' alarms, by alarm name."""
        return {
            alarm["AlarmName"]: alarm
            for template in self.alarm_stacks
            for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        }
