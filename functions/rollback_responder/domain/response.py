"""How much is done about a symptom: by the mode, and by its severity and the age of the change."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Struct

from rollback_responder.domain.document import Doc, Limits

MINUTES_A_WEEK = Limits(0, 10_080)


class Mode(StrEnum):
    """What the responder may do with its own judgement, from least to most."""

    OBSERVE = "observe"
    APPROVE = "approve"
    ENFORCE = "enforce"

    @property
    def may_act(self) -> bool:
        """Whether a target may be touched at all, by itself or after an approval."""
        return self is not Mode.OBSERVE

    def allows(self, other: "Mode") -> bool:
        """Whether `other` lets the responder do no more than this one."""
        order = list(Mode)
        return order.index(other) <= order.index(self)


class Severity(StrEnum):
    """How bad it is when the trigger fires, in the operator's judgement."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    def outranks(self, other: "Severity") -> bool:
        """Whether it is worse."""
        order = list(Severity)
        return order.index(self) < order.index(other)


class Response(StrEnum):
    """What is done about a proved symptom."""

    ROLL_BACK = "roll_back"
    ASK = "ask"
    TELL = "tell"


class Ages(Struct, frozen=True, kw_only=True):
    """Up to which age of the change it is rolled back, and up to which a person is asked."""

    roll_back_minutes: Annotated[
        int,
        Doc("A change of at most this age is rolled back without asking; 0 for never."),
        MINUTES_A_WEEK,
    ]
    ask_minutes: Annotated[
        int,
        Doc("An older one, up to this age, is rolled back if a person approves; then only told."),
        MINUTES_A_WEEK,
    ]

    def response(self, age: timedelta) -> Response:
        """What is done about a change of that age."""
        if self.roll_back_minutes and age <= timedelta(minutes=self.roll_back_minutes):
            return Response.ROLL_BACK
        if self.ask_minutes and age <= timedelta(minutes=self.ask_minutes):
            return Response.ASK
        return Response.TELL


class ChangeAges(Struct, frozen=True, kw_only=True):
    """Up to which age a change may be suspected at all, and up to which it may be acted upon."""

    suspect: timedelta
    act: timedelta


class Responses(Struct, frozen=True, kw_only=True):
    """The decision table: a row for each severity, by the age of the change."""

    critical: Annotated[Ages, Doc("Where a trigger of severity critical fires.")] = Ages(
        roll_back_minutes=60, ask_minutes=1440
    )
    high: Annotated[Ages, Doc("Where one of severity high fires.")] = Ages(
        roll_back_minutes=240, ask_minutes=1440
    )
    medium: Annotated[Ages, Doc("Where one of severity medium fires.")] = Ages(
        roll_back_minutes=0, ask_minutes=240
    )
    low: Annotated[Ages, Doc("Where one of severity low fires.")] = Ages(
        roll_back_minutes=0, ask_minutes=0
    )

    def of(self, severity: Severity) -> Ages:
        """The row of a severity."""
        row: Ages = getattr(self, severity.value)
        return row

    @property
    def horizon(self) -> timedelta:
        """A change older than this is nobody's suspect."""
        rows: list[Ages] = [getattr(self, row) for row in self.__struct_fields__]
        longest = max(max(row.roll_back_minutes, row.ask_minutes) for row in rows)
        return timedelta(minutes=longest)

    def change_ages(self, severity: Severity) -> ChangeAges:
        """How old a change may be that a symptom of that severity is about."""
        act = timedelta(minutes=self.of(severity).roll_back_minutes)
        return ChangeAges(suspect=self.horizon, act=act)
