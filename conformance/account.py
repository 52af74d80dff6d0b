"""Whose account it is, and whether checks may be run in it."""

import re
from dataclasses import dataclass

from botocore.exceptions import ClientError

from conformance.things import Clients

# `product` says nothing of it, and `non-prod` the opposite.
PRODUCTION = re.compile(r"(?<!non)(?<!non[-_])prod(?!uct(?!ion))|prd|\blive\b", re.IGNORECASE)


class Refused(Exception):
    """This account is not to be used. The message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the checks run. `arn` is who runs them."""

    partition: str
    id: str
    region: str
    arn: str

    def arn_of(self, service: str, what: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.id}:{what}"


def admitted(clients: Clients, *, named: str | None, region: str) -> tuple[Account, str]:
    """The account that the credentials belong to, and what could not be asked of it, if anything.

    STS says which it is; whoever runs the checks must have named the same. Its alias, and its tags
    in AWS Organizations where they may be read, must not say production. Only the management
    account may read tags (Organizations API reference, ListTagsForResource).

    Raises:
        Refused: it is not the one that was named, it is production, or its alias cannot be read.
    """
    caller = clients("sts").get_caller_identity()
    account = caller["Account"]
    if named != account:
        given = f"--account {named} was given" if named else "no --account was given"
        raise Refused(
            f"these credentials are for account {account}, and {given}. If that account is for "
            f"experiments, say so: --account {account}"
        )
    try:
        aliases = clients("iam").list_account_aliases()["AccountAliases"]
    except ClientError as error:
        raise Refused(
            f"the alias of account {account} could not be read ({error.response['Error']['Code']}),"
            " so it may be production. Allow iam:ListAccountAliases"
        ) from error
    tags, unread = _tags(clients, account)
    for word in (*aliases, *tags):
        if PRODUCTION.search(word):
            raise Refused(f"account {account} is called {word!r}, which says production")
    partition = caller["Arn"].split(":")[1]
    return Account(partition=partition, id=account, region=region, arn=caller["Arn"]), unread


def _tags(clients: Clients, account: str) -> tuple[list[str], str]:
    try:
        found = clients("organizations").list_tags_for_resource(ResourceId=account)["Tags"]
    except ClientError as error:
        return [], f"the account's tags could not be read ({error.response['Error']['Code']})"
    return [f"{tag['Key']}={tag['Value']}" for tag in found], ""
