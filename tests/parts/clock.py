"""The clock of a round: it goes as the wall clock does, and leaps over what nobody waits for.

Ten minutes are over as soon as everything in them is done. A lease, a visibility timeout, the age
of a message are what they are; only an SDK's own time-out passes in real seconds.
"""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

MINUTE = timedelta(minutes=1)
SITE = Path(__file__).parent / "site"


class Leaps:
    """A clock that every process of a round reads; it begins at ten in the morning, in UTC."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        self.path = path
        with path.open("r+b") as file:
            self._leapt = mmap.mmap(file.fileno(), 8)
        today = self.now().replace(hour=10, minute=0, second=0, microsecond=0)
        self.leap(today + timedelta(days=1) - self.now())

    def now(self):
        return datetime.fromtimestamp(time.time() + struct.unpack("d", self._leapt[:8])[0], UTC)

    def leap(self, span):
        """Whatever was to be within that span is over."""
        before = struct.unpack("d", self._leapt[:8])[0]
        self._leapt[:8] = struct.pack("d", before + span.total_seconds())

    def environment(self):
        """The variables by which the emulator and its workers follow."""
        return {
            "TIME_LEAPS": str(self.path),
            "PYTHONPATH": str(SITE),
        }
