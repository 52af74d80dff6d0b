"""The stacks: one for the responder, and the alarms in stacks of their own."""

from collections.abc import Sequence

from aws_cdk import Annotations, App, Aws, CfnOutput, Stack, Tags, Validations
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from infra import package
from infra.alarms import TargetAlarms, own_alarms, shards_of
from infra.context import read_compiled
from infra.dashboard import Dashboard
from infra.denials import deny
from infra.grants import may_deploy
from infra.health import Health
from infra.ingress import Ingress
from infra.interactor import Interactor
from infra.journal import journal_table
from infra.notifier import Notifier
from infra.queues import dead_letter_queue
from infra.responder import TIMEOUT as RESPOND_TIMEOUT
from infra.responder import Responder
from infra.slack_secret import slack_secret
from infra.watcher import Watcher
from rollback_responder.domain import naming
from rollback_responder.domain.policy import Policy, Watched
from rollback_responder.wiring import InteractWiring, NotifyWiring, RespondWiring, WatchWiring


def build(app: App, policy: Policy) -> None:
    """Adds all stacks of a policy to the app, and the checks they have to pass."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    Tags.of(app).add("rollback-responder", policy.environment)
    responder = ResponderStack(app, naming.stack_name(policy.environment), policy=policy)
    shards = shards_of(own_alarms(policy))
    stacks = {
        number: AlarmsStack(
            app,
            naming.alarm_stack_name(policy.environment, number + 1),
            environment=policy.environment,
            alarms=alarms,
        )
        for number, alarms in enumerate(shards)
        # CloudFormation takes no stack without a resource.
        if alarms
    }
    for number, stack in stacks.items():
        # An order of deploying only, nothing is passed: whoever judges an alarm comes before it.
        stack.add_stack_dependency(responder)
        # Where the number of stacks has doubled, an alarm leaves one before it enters the other.
        earlier = stacks.get(number - len(shards) // 2)
        if earlier and earlier is not stack:
            stack.add_stack_dependency(earlier)


class AlarmsStack(Stack):
    """Some of the alarms that wake the responder."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: str, alarms: Sequence[Watched]
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Alarms that wake the rollback responder; made from its policy.",
            suppress_template_indentation=True,
        )
        self.alarms = TargetAlarms(self, "Alarms", environment=environment, alarms=alarms)


class ResponderStack(Stack):
    """Everything that answers an alarm."""

    def __init__(self, scope: Construct, construct_id: str, *, policy: Policy) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Rolls a bad deploy back when its alarm fires, and tells Slack why.",
            # CloudFormation takes 1 MB a template, and counts the spaces.
            suppress_template_indentation=True,
        )
        self.policy = policy
        compiled = read_compiled(self)
        self.python = compiled.interpreter()
        if self.python is None and compiled is not package.Compiled.NEVER:
            Annotations.of(self).add_info(
                f"this machine has no python{package.VERSION}, so nothing is compiled for Lambda:"
                " a function that starts cold takes two and a half times as long"
            )
        self.journal = journal_table(self, "Journal")
        self.ingress = Ingress(self, "Ingress", policy=policy, handler_timeout=RESPOND_TIMEOUT)
        self.secret = slack_secret(self, "SlackSecret", environment=policy.environment)
        self.responder = self._responder()
        self.watcher = self._watcher()
        self.notifier = self._notifier()
        self.interactor = self._interactor() if policy.slack.approvers else None
        houses = [self.responder.respond, self.watcher.watch, self.notifier.notify]
        if self.interactor:
            houses.append(self.interactor.interact)
        deny(
            self,
            "Denials",
            environment=policy.environment,
            roles=[house.role for house in houses],
            functions=[house.function for house in houses],
            except_for=["codedeploy:CreateDeployment"] if may_deploy(policy) else [],
        )
        self._look_after()
        CfnOutput(self, "JournalTable", value=self.journal.table_name)
        # For the command line: it wakes `respond`, and asks what its role may do.
        CfnOutput(self, "AlarmQueueUrl", value=self.ingress.queue.queue_url)
        CfnOutput(self, "RespondRole", value=self.responder.respond.role.role_arn)
        # Why the code differs between two machines that deploy the same, where it does.
        CfnOutput(self, "Compiled", value=f"python{package.VERSION}" if self.python else "no")

    def _code(self, function: str) -> lambda_.Code:
        """The asset of a function, known by the hash of its content.

        CDK's own hash goes by inode, time and size of files that it has seen before
        (`~/.cdk/cache/fingerprints`, aws-cdk-lib 2.275), and by CDK's version.
        """
        asset = package.stage(self.policy, function, python=self.python)
        return lambda_.Code.from_asset(str(asset), asset_hash=asset.name)

    def _responder(self) -> Responder:
        return Responder(
            self,
            "Responder",
            policy=self.policy,
            code=self._code("respond"),
            wiring=RespondWiring(
                account_id=Aws.ACCOUNT_ID,
                region=Aws.REGION,
                journal_table=self.journal.table_name,
                dead_letter_queue_url=self.ingress.dead_letters.queue_url,
            ),
            journal=self.journal,
            alarms=self.ingress.queue,
            dead_letters=self.ingress.dead_letters,
        )

    def _watcher(self) -> Watcher:
        return Watcher(
            self,
            "Watcher",
            policy=self.policy,
            code=self._code("watch"),
            wiring=WatchWiring(
                account_id=Aws.ACCOUNT_ID,
                region=Aws.REGION,
                journal_table=self.journal.table_name,
                alarm_queue_url=self.ingress.queue.queue_url,
                respond_role_arn=self.responder.respond.role.role_arn,
            ),
            journal=self.journal,
            alarms=self.ingress.queue,
            dead_letters=self.ingress.dead_letters,
        )

    def _notifier(self) -> Notifier:
        self.failures = dead_letter_queue(self, "NotifyFailures")
        return Notifier(
            self,
            "Notifier",
            code=self._code("notify"),
            wiring=NotifyWiring(
                account_id=Aws.ACCOUNT_ID,
                region=Aws.REGION,
                journal_table=self.journal.table_name,
                slack_secret_arn=self.secret.secret_arn,
                failure_queue_url=self.failures.queue_url,
            ),
            journal=self.journal,
            secret=self.secret,
            failures=self.failures,
            digest=self.policy.slack.digest,
        )

    def _interactor(self) -> Interactor:
        return Interactor(
            self,
            "Interactor",
            code=self._code("interact"),
            wiring=InteractWiring(
                account_id=Aws.ACCOUNT_ID,
                region=Aws.REGION,
                journal_table=self.journal.table_name,
                slack_secret_arn=self.secret.secret_arn,
                alarm_queue_url=self.ingress.queue.queue_url,
            ),
            journal=self.journal,
            secret=self.secret,
            alarms=self.ingress.queue,
        )

    def _look_after(self) -> None:
        functions: dict[str, lambda_.IFunction] = {
            "respond": self.responder.respond.function,
            "watch": self.watcher.watch.function,
            "notify": self.notifier.notify.function,
        }
        if self.interactor:
            functions["interact"] = self.interactor.interact.function
        dead_letters = {
            "dead-letters": self.ingress.dead_letters,
            "notify-failures": self.failures,
        }
        health = Health(
            self,
            "Health",
            policy=self.policy,
            alarms=self.ingress.queue,
            redelivery=self.ingress.redelivery,
            dead_letters=dead_letters,
            functions=functions,
            stream_reader=functions["notify"],
        )
        Dashboard(
            self,
            "Dashboard",
            policy=self.policy,
            own_alarms=health.alarms,
            alarms=self.ingress.queue,
            dead_letters=dead_letters,
            functions=functions,
        )
