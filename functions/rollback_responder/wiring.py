"""Names that only the deployment knows, as environment variables: written by infra, read at start.

One frozen Struct for each function; its fields are exactly the variables of that function.
"""

from collections.abc import Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import asdict

from rollback_responder.domain.errors import WiringError


class Wiring(Struct, frozen=True, kw_only=True):
    """What every function is told."""

    account_id: str
    region: str
    journal_table: str

    def to_environment(self) -> dict[str, str]:
        """The environment variables of the function, for infra."""
        return {name.upper(): value for name, value in asdict(self).items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables back, at cold start.

        Raises:
            WiringError: naming every variable that is missing or empty.
        """
        names = cls.__struct_fields__
        missing = [name.upper() for name in names if not environment.get(name.upper())]
        if missing:
            raise WiringError(
                f"environment variables missing or empty: {', '.join(missing)}; "
                "deploy the responder's stack again"
            )
        return cls(**{name: environment[name.upper()] for name in names})


class RespondWiring(Wiring, frozen=True, kw_only=True):
    """What `respond` is told."""

    dead_letter_queue_url: str


class WatchWiring(Wiring, frozen=True, kw_only=True):
    """What `watch` is told. It wakes `respond` through the queue; it never acts itself.

    The role is that of `respond`, whose permissions it asks IAM about.
    """

    alarm_queue_url: str
    respond_role_arn: str


class NotifyWiring(Wiring, frozen=True, kw_only=True):
    """What `notify` is told. `mplconfigdir` is for matplotlib, which reads it itself.

    It keeps its list of fonts there; only /tmp can be written (Lambda developer guide, "Lambda
    execution environment").
    """

    slack_secret_arn: str
    failure_queue_url: str
    mplconfigdir: str = "/tmp/matplotlib"  # noqa: S108 - Lambda's own, nobody else is there


class InteractWiring(Wiring, frozen=True, kw_only=True):
    """What `interact` is told. It wakes `respond` through the queue; it never acts itself."""

    slack_secret_arn: str
    alarm_queue_url: str
