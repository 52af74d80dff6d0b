"""Where a command looks: the policy file, and a deployment's table or an export of it."""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from rollback_responder.actions import Clients
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.bootstrap import people
from rollback_responder.cli.access import MENDS, known_region
from rollback_responder.cli.failure import BadUsage, NotRead
from rollback_responder.cli.records import Records
from rollback_responder.cli.shelf import ExportShelf, TableShelf
from rollback_responder.domain import naming
from rollback_responder.domain.errors import PolicyError, Problem
from rollback_responder.domain.policy import Policy, Service, parse_policy

T = TypeVar("T")
KEY = "rollback"
POLICY_FILE = Path("cdk.json")


class Place(Struct, frozen=True, kw_only=True, dict=True):
    """What the options say. An export is read as it is: no AWS call, and no policy but a named one.

    Each AWS client is made when it is needed first.
    """

    policy_file: Path | None
    journal_file: Path | None = None
    table_name: str | None = None
    region: str | None = None
    profile: str | None = None

    @cached_property
    def policy(self) -> Policy:
        """The policy that the deployment was made from.

        Raises:
            PolicyError: it cannot be used, with every problem.
        """
        return read_policy(self.policy_file or POLICY_FILE)

    @cached_property
    def known_policy(self) -> Policy | None:
        """The policy, or None where only an export was named."""
        return None if self.journal_file and not self.policy_file else self.policy

    @cached_property
    def records(self) -> Records:
        """The journal.

        Raises:
            BadUsage: the export is not one.
            NotRead: the table could not be found.
        """
        policy = self.known_policy
        services = tuple(service.name for service in policy.services) if policy else ()
        if self.journal_file:
            shelf = ExportShelf.open(self.journal_file)
            return Records(shelf, (*services, *(s for s in shelf.services if s not in services)))
        return Records(TableShelf(self.reader("dynamodb"), self.table), services)

    @property
    def table(self) -> str:
        """The journal's table, as named or as the stack tells; errors as `outputs`."""
        return self.table_name or self.output("JournalTable")

    @cached_property
    def clients(self) -> Clients:
        """AWS clients of the region and the profile that were asked for.

        Raises:
            BadUsage: there is no such profile, or it is no region.
            NotRead: no region is known.
        """
        known_region(people.Place(region=self.region, profile=self.profile))
        return people.operator_clients(region=self.region, profile=self.profile)

    def reader(self, service: str) -> Any:
        """A client that only reads."""
        return reading(f"a client for {service}", lambda: self.clients.reads(service))

    @cached_property
    def region_name(self) -> str | None:
        """The region: as asked for, else as AWS's configuration says; of an export only the first.

        An export does not say where it was made.
        """
        if self.region or self.journal_file:
            return self.region
        return str(self.reader("dynamodb").meta.region_name)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the responder's stack.

        Raises:
            NotRead: there is no such stack, or it cannot be read.
        """
        stack = naming.stack_name(self.policy.environment)
        client = self.reader("cloudformation")
        answer = reading(f"stack {stack}", lambda: client.describe_stacks(StackName=stack))
        found = answer["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def output(self, key: str) -> str:
        """One output of the responder's stack; errors as `outputs`."""
        if key not in self.outputs:
            raise NotRead(
                f"stack {naming.stack_name(self.policy.environment)} has no output {key}: "
                "deploy the responder's stack again, it is older than this command"
            )
        return self.outputs[key]


def read_policy(path: Path) -> Policy:
    """The policy in context `rollback` of a CDK file.

    Raises:
        PolicyError: the file cannot be read, or the policy in it cannot be used.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return parse_policy(document["context"][KEY])
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        problem = Problem(
            path=str(path),
            got=_got(error),
            allowed=f"a cdk.json with the policy in context.{KEY}",
            change="name the file with --policy, or run this where it is",
        )
        raise PolicyError("the policy file", (problem,)) from error


def _got(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, ValueError | RecursionError):
        return f"no JSON: {error}"
    return f"no context.{KEY}"


def reading(what: str, read: Callable[[], T]) -> T:
    """Reads from AWS; what goes wrong is said with its name and what mends it.

    Raises:
        NotRead: it could not be read.
    """
    try:
        return read()
    except AwsError as error:
        name = name_of(error)
        raise NotRead(f"{what} could not be read: {name}{MENDS.get(name, '')}") from error


def service_named(policy: Policy, name: str) -> Service:
    """The service of that name.

    Raises:
        BadUsage: there is none.
    """
    for service in policy.services:
        if service.name == name:
            return service
    known = ", ".join(sorted(service.name for service in policy.services))
    raise BadUsage(f"SERVICE: got {name!r}; allowed: {known}; name one of these")
