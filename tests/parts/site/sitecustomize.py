"""Lets the emulator and its function workers follow the clock of a round; see `tests/parts/clock`.

Time passes as it does, and now and then leaps: what was leapt over lies in a file. Python imports
this at its start.

In a worker only `time.time` leaps: the SDK signs with `datetime.now`, and its time-outs are real.
The emulator stamps stacks with `datetime.now`, so there that follows as well. No worker draws a
picture: each would take as long as the rest of a round, and the words do not wait for it.
"""

import datetime as dt
import importlib
import mmap
import os
import struct
import sys
import time


def _follow(path):
    with open(path, "r+b") as file:  # noqa: PTH123 - before anything else is imported
        leapt = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    wall_clock = time.time

    def now():
        return wall_clock() + struct.unpack("d", leapt[:8])[0]

    time.time = now


class _Leaping(dt.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(dt.UTC).replace(tzinfo=None)


if "TIME_LEAPS" in os.environ:
    _follow(os.environ["TIME_LEAPS"])
    if "LAMBDA_TASK_ROOT" in os.environ:
        sys.modules["matplotlib"] = None
        # The asset's is compiled for Lambda's machine, the emulator's own for this one.
        importlib.import_module("msgspec")
    else:
        dt.datetime = _Leaping
