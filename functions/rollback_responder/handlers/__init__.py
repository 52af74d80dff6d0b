"""The Lambda entry points: parse, call, return. Each opens its house once, at cold start.

A cold start makes some hundred thousand objects that stay for good. To look through them for
garbage again and again takes a twentieth of it, so in Lambda nobody looks before the house is
furnished, and afterwards only at what has come since.
"""

import gc
import os
from typing import TypeVar

House = TypeVar("House")

# Set by Lambda alone (Lambda developer guide, "Defined runtime environment variables").
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()


def settled(house: House) -> House:
    """The house as it is; what has come in by now stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return house
