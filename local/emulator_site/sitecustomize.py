"""Fits the emulator's function workers to this machine; Python imports this at its start.

They get the time-lapse clock, and what their asset holds compiled for Lambda's machine is taken
from the emulator's own packages, which are compiled for this one. A function with WITHOUT_SDK in
its environment gets no SDK, and starts the faster for it.

It is on the ``PYTHONPATH`` that ministack's workers inherit (they start the emulator's interpreter
with the emulator's environment). A worker is recognised by ``LAMBDA_TASK_ROOT``, which ministack
sets for workers only, so that the emulator itself stays on the wall clock.

Only ``time.time`` is replaced. botocore signs with ``datetime.now``, timeouts and locks use
``time.monotonic``, so both stay real. The worker's own script is exempt, too: it works out the
remaining milliseconds of an invocation, which are real ones.

The names of the variables are those of ``local/clock.py``, which a worker cannot import.
"""

import importlib.machinery
import os
import sys
import sysconfig
import time
from collections.abc import Sequence

# What every function imports, and what `notify` draws with (functions/requirements-notify.txt), as
# far as it is compiled.
COMPILED = frozenset(
    {"msgspec", "PIL", "contourpy", "kiwisolver", "matplotlib", "mpl_toolkits", "numpy"}
)


def _follow_the_time_lapse() -> None:
    speed = float(os.environ["TIME_LAPSE_SPEED"])
    real_epoch = float(os.environ["TIME_LAPSE_REAL_EPOCH"])
    model_epoch = float(os.environ["TIME_LAPSE_MODEL_EPOCH"])
    wall_clock = time.time

    def model_time() -> float:
        real = wall_clock()
        if sys._getframe(1).f_globals.get("__name__") == "__main__":  # noqa: SLF001 - see above
            return real
        return model_epoch + (real - real_epoch) * speed

    time.time = model_time


class _OfThisMachine:
    """Finds compiled packages in the emulator's environment, whatever the asset holds."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name not in COMPILED:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [sysconfig.get_path("platlib")])


class _NoSdk:
    """Finds no SDK, for a function that says that it needs none.

    The emulator's worker loads botocore before the function if it can, and is started anew after
    each failed call (Lambda keeps it): without this, most of a machine's time would go into that.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        del path, target
        if name == "botocore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if "LAMBDA_TASK_ROOT" in os.environ and "WITHOUT_SDK" in os.environ:
    sys.meta_path.insert(0, _NoSdk)

if "LAMBDA_TASK_ROOT" in os.environ:
    sys.meta_path.insert(0, _OfThisMachine)

if "LAMBDA_TASK_ROOT" in os.environ and "TIME_LAPSE_SPEED" in os.environ:
    _follow_the_time_lapse()
