"""One policy that has everything, and what its synthesis leaves in a folder."""

from pathlib import Path

from aws_cdk import App

from infra.stacks import build
from rollback_responder.domain.policy import Policy
from tests.infra.deployed import Template

POLICY = {
    "environment": "test",
    "mode": "enforce",
    "slack": {
        "channel": "#deploys",
        "approvers": ["U012AB3CD"],
        "digest": {"day": "fri", "hour": 14},
    },
    "responses": {"critical": {"roll_back_minutes": 120, "ask_minutes": 2880}},
    "freezes": [
        {
            "kind": "once",
            "name": "the launch",
            "from_at": "2026-11-27T00:00:00Z",
            "until_at": "2026-11-28T00:00:00Z",
        },
        {"kind": "weekly", "name": "the night", "days": ["fri", "sat"], "from_clock": "22:00"},
    ],
    "health": {"emails": ["oncall@example.com"]},
    "drills": {"hour": 4},
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
            "triggers": [
                {"kind": "error_rate", "threshold_percent": 5},
                {"kind": "timeouts", "threshold_percent": 1, "log_format": "json"},
                {"kind": "throttles", "threshold_percent": 0, "minimum_requests": 100},
            ],
        },
        {
            "name": "ledger",
            "targets": [
                {"kind": "codedeploy_group", "application": "ledger", "group": "live"},
                {"kind": "codedeploy_group", "application": "ledger", "group": "batch"},
                {"kind": "cloudformation_stack", "stack": "ledger"},
            ],
            "triggers": [
                {"kind": "alarm", "name": "ledger is broken"},
                {
                    "kind": "api_5xx_rate",
                    "api": {"name": "a1b2c3d4e5", "type": "http", "stage": "$default"},
                    "threshold_percent": 2,
                },
                {
                    "kind": "api_5xx_count",
                    "api": {"name": "a1b2c3d4e5", "type": "http"},
                    "more_than": 0,
                    "minutes": 1,
                },
            ],
        },
        {
            "name": "storefront",
            "mode": "approve",
            "siblings": ["checkout", "search", "ledger"],
            "dependencies": ["the database is down", "the bank is down"],
            "targets": [
                {
                    "kind": "lambda_alias",
                    "function": "storefront",
                    "alias": "live",
                    "never_back_to": ["7", "12"],
                },
            ],
            "triggers": [
                {"kind": "error_rate", "threshold_percent": 5, "severity": "medium"},
                {
                    "kind": "error_rate",
                    "name": "gross",
                    "threshold_percent": 33.3,
                    "severity": "critical",
                    "minutes": 1,
                    "breaching_minutes": 1,
                    "minimum_requests": 10,
                    "minimum_errors": 1,
                },
                {"kind": "latency", "statistic": "p99.9", "threshold_ms": 3000, "name": "tail"},
                {"kind": "latency_times_normal", "statistic": "p50", "times": 5},
                {
                    "kind": "latency_times_normal",
                    "statistic": "average",
                    "times": 2.5,
                    "band_width": 6.5,
                    "mode": "observe",
                },
                {"kind": "timeouts", "threshold_percent": 0.5},
                {"kind": "timeouts", "name": "gross", "threshold_percent": 10},
                {"kind": "throttles"},
                {
                    "kind": "api_5xx_rate",
                    "api": {"name": "storefront", "stage": "prod"},
                    "threshold_percent": 1,
                },
                {
                    "kind": "api_5xx_count",
                    "api": {"name": "storefront"},
                    "more_than": 25,
                    "minutes": 10,
                },
                {
                    "kind": "dead_letters",
                    "queue": "orders-dead.fifo",
                    "when_unmeasurable": "trust_alarm",
                },
                {
                    "kind": "ratio",
                    "name": "payments-declined",
                    "bad": {"namespace": "Shop", "name": "Declined"},
                    "whole": {
                        "namespace": "Shop",
                        "name": "Payments",
                        "dimensions": [{"name": "Stage", "value": "prod"}],
                    },
                    "threshold_percent": 20,
                },
                {
                    "kind": "anomaly",
                    "name": "basket-value",
                    "metric": {
                        "namespace": "Shop",
                        "name": "Basket",
                        "dimensions": [
                            {"name": "Stage", "value": "prod"},
                            {"name": "Currency", "value": "EUR"},
                        ],
                    },
                    "statistic": "p90",
                    "minutes": 10,
                    "breaching_minutes": 6,
                },
                {"kind": "alarm", "name": "storefront is broken (canary)", "severity": "low"},
            ],
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
