"""What somebody said, as it is kept and told: every press and every command, with who."""

from datetime import datetime
from typing import Annotated

from msgspec import Struct

from rollback_responder.domain import naming
from rollback_responder.domain.document import Doc


class Said(Struct, frozen=True, kw_only=True):
    """One thing that a person said."""

    at: Annotated[datetime, Doc("When.")]
    by: Annotated[str, Doc("Who.")]
    text: Annotated[str, Doc("What, in a sentence.")]
    incident_id: Annotated[
        str | None, Doc("The incident it is about, if one."), naming.INCIDENT_ID
    ] = None
