"""What somebody said, as it is kept and told: every press and every command, with who."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from rollback_responder.domain import naming
from rollback_responder.domain.document import Doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that a person said."""

    at: Annotated[datetime, Doc("When.")]
    by: Annotated[str, Doc("Who.")]
    text: Annotated[str, Doc("What, in a sentence.")]
    incident_id: Annotated[
        str | None, Doc("The incident it is about, if one."), naming.INCIDENT_ID
    ] = None
