"""What can be rolled back: a tagged union, one Struct for each kind.

Two families. A *pointer* names one of several versions and is moved back at once. A *rollout*
carries a change step by step: it is told to stop, and goes back by itself. A new kind starts here,
in its family; the type checker then lists every `match` to finish.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Struct

from rollback_responder.domain.document import Doc, Limits, Pattern

# Lambda API, CreateFunction and CreateAlias: patterns of FunctionName and Name.
FUNCTION_NAME = Pattern(
    r"[a-zA-Z0-9-_]{1,64}", "a function name: 1 to 64 letters, digits, hyphens or underscores"
)
ALIAS_NAME = Pattern(
    r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}",
    "an alias name: 1 to 128 letters, digits, hyphens or underscores, not only digits",
)


class LambdaAlias(Struct, frozen=True, kw_only=True):
    """A Lambda alias that is moved from version to version at each deploy."""

    kind: Annotated[Literal["lambda_alias"], Doc("The kind of target.")] = "lambda_alias"
    function: Annotated[
        str,
        Doc("The function's name.", "write the bare name, not the ARN"),
        FUNCTION_NAME,
    ]
    alias: Annotated[
        str,
        Doc("The alias that receives the traffic.", "write the alias's own name, such as live"),
        ALIAS_NAME,
    ]
    never_back_to: Annotated[
        tuple[Annotated[str, Pattern(r"[0-9]{1,9}", "a version number")], ...],
        Doc("Versions that are never gone back to, however well they served."),
    ] = ()

    @property
    def target_id(self) -> str:
        """Names the target in the journal; never shown as the only name."""
        return f"{self.kind}/{self.function}/{self.alias}"

    @property
    def title(self) -> str:
        """Names the target for people."""
        return f"{self.function}:{self.alias}"

    @property
    def slug(self) -> str:
        """Names the target inside an alarm's name."""
        return f"{self.function}.{self.alias}"


# CodeDeploy API, ApplicationName and DeploymentGroupName: 1 to 100 characters. A slash would make
# the ARN of a group ambiguous, and CodeDeploy's own ARN pattern has none; in a resource of IAM a
# star, a question mark and a dollar sign stand for more than themselves.
CODEDEPLOY_NAME = Pattern(
    r"[^/\s*?$]{1,100}", "a name of 1 to 100 characters without space or any of / * ? $"
)
# CloudFormation API, CreateStack: StackName.
STACK_NAME = Pattern(
    r"[a-zA-Z][-a-zA-Z0-9]{0,127}",
    "a stack name: a letter, then up to 127 letters, digits or hyphens",
)


class AfterSuccess(StrEnum):
    """What to do about a deployment that has finished and proves bad only then."""

    ASK = "ask"
    REDEPLOY = "redeploy"


class CodeDeployGroup(Struct, frozen=True, kw_only=True):
    """A CodeDeploy deployment group that shifts a Lambda alias from version to version."""

    kind: Annotated[Literal["codedeploy_group"], Doc("The kind of target.")] = "codedeploy_group"
    application: Annotated[str, Doc("The application's name."), CODEDEPLOY_NAME]
    group: Annotated[str, Doc("The deployment group's name."), CODEDEPLOY_NAME]
    after_success: Annotated[
        AfterSuccess,
        Doc(
            "A finished deployment cannot be stopped. ask: call a person. "
            "redeploy: deploy the version before through CodeDeploy; only in a service with one "
            "alias and the one group that shifts it."
        ),
    ] = AfterSuccess.ASK
    deadline_minutes: Annotated[
        int, Doc("A rollback that is not over by then calls a person."), Limits(5, 1440)
    ] = 60

    @property
    def target_id(self) -> str:
        """Names the target in the journal; never shown as the only name."""
        return f"{self.kind}/{self.application}/{self.group}"

    @property
    def title(self) -> str:
        """Names the target for people."""
        return f"{self.application}/{self.group}"


class CloudFormationStack(Struct, frozen=True, kw_only=True):
    """A CloudFormation stack whose update can be cancelled while it is under way."""

    kind: Annotated[Literal["cloudformation_stack"], Doc("The kind of target.")] = (
        "cloudformation_stack"
    )
    stack: Annotated[
        str,
        Doc("The stack's name; of nested stacks, the root's.", "write the bare name"),
        STACK_NAME,
    ]
    continue_rollback: Annotated[
        bool,
        Doc(
            "Whether to continue a rollback that failed, once, without skipping any resource. "
            "Otherwise a person is called with the command."
        ),
    ] = False
    deadline_minutes: Annotated[
        int, Doc("A rollback that is not over by then calls a person."), Limits(5, 1440)
    ] = 360

    @property
    def target_id(self) -> str:
        """Names the target in the journal; never shown as the only name."""
        return f"{self.kind}/{self.stack}"

    @property
    def title(self) -> str:
        """Names the target for people."""
        return f"stack {self.stack}"


Pointer = LambdaAlias
Rollout = CodeDeployGroup | CloudFormationStack
Target = LambdaAlias | CodeDeployGroup | CloudFormationStack
