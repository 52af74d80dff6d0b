"""Whose credentials these are: who says something, and in which account."""

from msgspec import Struct

from rollback_responder.cli.place import Place, reading


class Identity(Struct, frozen=True, kw_only=True):
    """Who AWS says is signed in. `person` is the user's or the session's name."""

    person: str
    partition: str
    account_id: str
    region: str


def identity(place: Place) -> Identity:
    """Asks AWS. Who cannot say that cannot do anything else either.

    STS API reference, GetCallerIdentity: it needs no permission, and `Arn` ends in a user's name
    or in a role's and its session's.

    Raises:
        NotRead: there are no credentials, or they are no good.
    """
    client = place.reader("sts")
    arn: str = reading("your AWS identity", client.get_caller_identity)["Arn"]
    _, partition, _, _, account_id, name = arn.split(":", 5)
    return Identity(
        person=name.rpartition("/")[2],
        partition=partition,
        account_id=account_id,
        region=client.meta.region_name,
    )
