"""The Lambda entry points: parse, call, return. Each opens its house once, at cold start.

A cold start makes some hundred thousand objects that stay for good. To look through them for
garbage again and again takes a twentieth of it, so in Lambda nobody looks before the house is
furnished, and afterwards only at what has come since.

Five calls at once are five threads, of which the interpreter lets one run at a time. Over two
processors each of them begins on a cold one, which must be woken; so all keep to one.
"""

import gc
import os
from contextlib import suppress
from typing import TypeVar

House = TypeVar("House")


def keep_to_one_processor() -> None:
    """Has this process run on one processor, where the system lets it choose."""
    # Not every system knows of it.
    with suppress(AttributeError, OSError):
        allowed = sorted(os.sched_getaffinity(0))
        # Other processes of the same machine, if there are any, keep to another.
        os.sched_setaffinity(0, {allowed[os.getpid() % len(allowed)]})


def settled(house: House) -> House:
    """The house as it is; what has come in by now stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return house


# Set by Lambda alone (Lambda developer guide, "Defined runtime environment variables").
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()
    keep_to_one_processor()
