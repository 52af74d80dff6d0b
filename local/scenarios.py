"""The stories that `make demo` can tell, each with the ending that it must have."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from local.slack_inbox.pressing import ANN

ALARM_PREFIX = "rollback.demo.shop.shop.live."
TRIGGERS: dict[str, dict[str, Any]] = {
    "error-rate": {"kind": "error_rate", "threshold_percent": 5, "severity": "critical"},
    "latency-p50": {"kind": "latency", "statistic": "p50", "threshold_ms": 300},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What must be true at the end, read back from the emulator, the journal and Slack.

    Attributes:
        version: the version that serves the alias's traffic.
        shared_with: the other version of a weighted alias, if it is still weighted.
        state: the incident's last state, or None for "no incident".
        reason: its reason.
        headline: words that the thread in Slack must show.
        acts: how many mutating calls the responder made, by its log in the emulator.
        rollout: how the deployments, or the stack, stand, as the server or the emulator tells it.
        label: what people said of it in the end, right or a false alarm; None if nobody did.
    """

    version: str
    shared_with: str | None = None
    state: str | None
    reason: str | None = None
    headline: str | None = None
    rollout: str | None = None
    acts: int = 1
    label: bool | None = None

    def allows(self, state: str | None, reason: str | None) -> bool:
        """Whether an incident may stand so."""
        return (state, reason) == (self.state, self.reason)


class Way(StrEnum):
    """How the second release comes."""

    CDK = "cdk"
    CODEDEPLOY = "codedeploy"
    HELD_UPDATE = "held update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story.

    Attributes:
        promise: what the story shows, in a sentence.
        first, second: the releases of the shop (`local/shop/releases`), v1 and v2.
        mode: the policy's mode.
        trigger: the service's trigger. One only: in the emulator a failing call is slow as well,
            because its worker starts anew, and two threads would tell one story.
        alarms: whether it fires.
        canary: whether v2 gets half of the traffic only.
        outage: whether the payment provider goes down after v2 was deployed.
        way: how v2 comes.
        presses: what a person presses, each once there is a button for it.
        copies: how often each message about an alarm comes, by each way, beside a round of the
            watcher.
    """

    promise: str
    first: str = "good_v1"
    second: str
    mode: str = "enforce"
    trigger: str = "error-rate"
    alarms: bool = True
    canary: bool = False
    outage: bool = False
    way: Way = Way.CDK
    presses: tuple[str, ...] = ()
    copies: int = 1
    ending: Ending


SCENARIOS: dict[str, Scenario] = {
    "bad-deploy": Scenario(
        promise="A deploy that breaks most of the orders undoes itself.",
        second="bad_errors",
        ending=Ending(
            version="1", state="fixed", reason="symptom_gone", headline="rolled back v2 → v1"
        ),
    ),
    "latency": Scenario(
        promise="A deploy that makes orders slow undoes itself.",
        second="bad_latency",
        trigger="latency-p50",
        ending=Ending(
            version="1", state="fixed", reason="symptom_gone", headline="rolled back v2 → v1"
        ),
    ),
    "copies": Scenario(
        promise="Each message comes five times by both ways, and the watcher looks: one move.",
        second="bad_errors",
        copies=5,
        ending=Ending(
            version="1", state="fixed", reason="symptom_gone", headline="rolled back v2 → v1"
        ),
    ),
    "codedeploy": Scenario(
        promise="A canary deployment is caught in mid-shift and stopped; CodeDeploy goes back.",
        second="bad_errors",
        way=Way.CODEDEPLOY,
        ending=Ending(
            version="1",
            state="fixed",
            reason="symptom_gone",
            headline="rolled back deployment",
            rollout="Stopped, Succeeded",
        ),
    ),
    "stack": Scenario(
        promise="A stack update is cancelled half-way and followed until it is rolled back.",
        second="bad_errors",
        way=Way.HELD_UPDATE,
        ending=Ending(
            version="1",
            state="fixed",
            reason="symptom_gone",
            headline="rolled back the update of stack Shop",
            rollout="UPDATE_ROLLBACK_COMPLETE, User Initiated",
        ),
    ),
    "approve": Scenario(
        promise="It asks before it acts; a person presses the button, and it rolls back.",
        second="bad_errors",
        mode="approve",
        presses=("approve", "right"),
        ending=Ending(
            version="1",
            state="fixed",
            reason="symptom_gone",
            headline="rolled back v2 → v1",
            label=True,
        ),
    ),
    "hold": Scenario(
        promise="It asks before it acts; a person holds it, and nothing is touched.",
        second="bad_errors",
        mode="approve",
        presses=("hold",),
        ending=Ending(
            version="2",
            state="stood_down",
            reason="held",
            headline="somebody said that this change stays",
            acts=0,
        ),
    ),
    "undo": Scenario(
        promise="A person undoes a rollback; the version is theirs, and is not rolled back again.",
        second="bad_errors",
        presses=("undo",),
        ending=Ending(
            version="2", state="undone", reason="undone", headline="a person undid it", acts=2
        ),
    ),
    "healthy": Scenario(
        promise="A good deploy is left alone, and nobody is told anything.",
        second="good_v2",
        alarms=False,
        ending=Ending(version="2", state=None, acts=0),
    ),
    "observe": Scenario(
        promise="In observe mode nothing is touched; Slack says what would have been done.",
        second="bad_errors",
        mode="observe",
        ending=Ending(
            version="2",
            state="stood_down",
            reason="observe_mode",
            headline="would have rolled back v2 → v1",
            acts=0,
        ),
    ),
    "both-bad": Scenario(
        promise="When both versions fail, a rollback would not help: it stands down and says so.",
        first="needs_dependency",
        second="needs_dependency_v2",
        canary=True,
        outage=True,
        ending=Ending(
            version="1",
            shared_with="2",
            state="stood_down",
            reason="both_versions_fail",
            headline="did not roll back: both versions fail",
            acts=0,
        ),
    ),
}


ROLLOUTS: dict[Way, list[dict[str, str]]] = {
    Way.CDK: [],
    Way.CODEDEPLOY: [{"kind": "codedeploy_group", "application": "shop", "group": "shop"}],
    Way.HELD_UPDATE: [{"kind": "cloudformation_stack", "stack": "Shop"}],
}


def policy_document(scenario: Scenario) -> dict[str, Any]:
    """Context `rollback` of the app that the story deploys. Only the bake time is shortened."""
    return {
        "environment": "demo",
        "mode": scenario.mode,
        "slack": {"channel": "deploys", "approvers": [ANN.id]},
        "guardrails": {"bake_minutes": 3},
        "services": [
            {
                "name": "shop",
                "targets": [
                    {"kind": "lambda_alias", "function": "shop", "alias": "live"},
                    *ROLLOUTS[scenario.way],
                ],
                "triggers": [TRIGGERS[scenario.trigger]],
            }
        ],
    }
