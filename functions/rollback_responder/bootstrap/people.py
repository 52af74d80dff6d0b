"""What people have on their own machines: clients by their own profile. None of it is in Lambda."""

from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.utils import validate_region_name
from msgspec import Struct

from rollback_responder import bootstrap, lean_client, sdk
from rollback_responder.actions import Clients
from rollback_responder.bootstrap.rooms import furnished, kinds_of
from rollback_responder.domain.errors import ActionDenied, ActionError
from rollback_responder.domain.policy import Policy
from rollback_responder.lean_client import Limits
from rollback_responder.rooms import Rooms

# Nobody waits for a person's look but the person; throttles are waited out.
PATIENT = Limits(connect=5, read=30, attempts=8)
# How the names of those operations begin that change nothing.
READING = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")


class Place(Struct, frozen=True, kw_only=True):
    """Which account and region a person means; None for what their environment says."""

    region: str | None = None
    profile: str | None = None


def operator_clients(*, region: str | None, profile: str | None) -> Clients:
    """Clients with the region and the credentials of a person, for the command line.

    What is None is found as the SDK finds it: in the environment, then in its own files.
    """
    session = _session(profile)

    def client(service: str, limits: Limits) -> Any:
        return session.create_client(service, region_name=region, config=_config(limits))

    return Clients(
        reads=lambda service: client(service, bootstrap.READS),
        acts=lambda service: client(service, bootstrap.ONCE),
    )


def region_of(place: Place) -> str | None:
    """The region that a person means, or that their environment or AWS configuration names.

    Raises:
        BotoCoreError: there is no such profile, or it is no region.
    """
    session = _session(place.profile)
    # Whether there is such a profile is asked here, also where the region is named.
    configured: str | None = session.get_config_variable("region")
    session.get_scoped_config()
    found = place.region or configured
    if found is not None:
        validate_region_name(found)
    return found


def profiles() -> list[str]:
    """The profiles of a person's AWS configuration."""
    import botocore.session

    return sorted(botocore.session.Session().available_profiles)


def looking_rooms(policy: Policy, table: str, place: Place) -> Rooms:
    """A house for a person who looks: no client in it can do anything else.

    Whatever is not a read is refused before it becomes a request, in the acting rooms as well.
    """
    return furnished(
        policy, kinds_of(policy), table, lambda service, _: reading_client(service, place)
    )


def reading_client(service: str, place: Place) -> Any:
    """A client that refuses whatever is not a read, before it becomes a request.

    Raises:
        ActionError: no region is known, or no such profile.
    """
    client = _client_in(service, place)
    client.meta.events.register_first(f"before-parameter-build.{service}", _refuse_acts)
    return client


def _client_in(service: str, place: Place) -> Any:
    try:
        session, config = _session(place.profile), _config(PATIENT, retry="adaptive")
        return session.create_client(service, region_name=place.region, config=config)
    except BotoCoreError as error:
        raise ActionError(f"{service} cannot be asked: {error}") from error


def _session(profile: str | None = None) -> Any:
    """One for all clients of a person: it reads the SDK's data once.

    The region is looked for where the AWS command line looks for it: botocore alone knows only
    AWS_DEFAULT_REGION; AWS's other tools read AWS_REGION, and first (SDKs and tools reference
    guide, "AWS Region").
    """
    import botocore.session

    variables: Any = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
    session = botocore.session.Session(profile=profile, session_vars=variables)
    sdk.tell_utc(session)
    sdk.refuse_half_answers(session)
    return session


def _config(limits: Limits, *, retry: str = "standard") -> Any:
    """The limits as the SDK's own client takes them."""
    from botocore.config import Config

    retries: Any = {"mode": retry, "total_max_attempts": limits.attempts}
    return Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries=retries,
        user_agent=lean_client.AGENT,
    )


def _refuse_acts(model: Any, **_: Any) -> None:
    if not model.name.startswith(READING):
        raise ActionDenied(f"{model.name} is not a read, and this only looks")
