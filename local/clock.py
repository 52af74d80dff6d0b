"""The time-lapse clock of the local world.

CloudWatch works in one-minute buckets, so a demo in real time would take ten minutes and more. The
local world therefore runs on model time: the wall clock, sped up from one fixed instant. The model
of AWS, the traffic and the Slack inbox take this clock as an argument; the emulator's function
workers get it through ``emulator_site/sitecustomize.py``. The deployed app does not know of it.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

SPEED = "TIME_LAPSE_SPEED"
REAL_EPOCH = "TIME_LAPSE_REAL_EPOCH"
MODEL_EPOCH = "TIME_LAPSE_MODEL_EPOCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLapse:
    """Model time: ``model_epoch + (wall - real_epoch) * speed``.

    Attributes:
        speed: model seconds per real second; 1 is real time.
        real_epoch: the instant on the wall clock at which the time lapse began, in epoch seconds.
        model_epoch: the model's instant at that moment, in epoch seconds; a whole minute.
    """

    speed: float
    real_epoch: float
    model_epoch: float

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed must be positive, not {self.speed}")

    @classmethod
    def starting_now(cls, speed: float) -> Self:
        """Start at the whole minute that the wall clock is in."""
        real = time.time()
        return cls(speed=speed, real_epoch=real, model_epoch=real // 60 * 60)

    def now(self) -> datetime:
        """Return the present in model time, aware, in UTC."""
        lapsed = (time.time() - self.real_epoch) * self.speed
        return datetime.fromtimestamp(self.model_epoch + lapsed, UTC)

    def sleep(self, model_seconds: float) -> None:
        """Sleep for so many seconds of model time."""
        time.sleep(max(0.0, model_seconds / self.speed))

    def sleep_until(self, instant: datetime) -> None:
        """Sleep until an instant of model time; return at once if it has passed."""
        while (ahead := instant - self.now()) > timedelta(0):
            self.sleep(ahead.total_seconds())

    def environment(self) -> dict[str, str]:
        """Return the variables by which the emulator's function workers follow this clock."""
        return {
            SPEED: repr(self.speed),
            REAL_EPOCH: repr(self.real_epoch),
            MODEL_EPOCH: repr(self.model_epoch),
        }
