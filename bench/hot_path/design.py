"""One design in a process of its own: imported once, asked many times, over standard input.

    python -m bench.hot_path.design MODULE

It prints how many kilobytes of memory it has once it is there, and for each line that it reads the
instants, in nanoseconds of CLOCK_MONOTONIC, at which its handler began and ended.
"""

import importlib
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Answers until its input ends."""
    (name,) = sys.argv[1:]
    # What a handler logs must not stand among the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    handler = importlib.import_module(name).handler
    print("ready", _kilobytes(), file=answers, flush=True)
    for line in sys.stdin:
        event = json.loads(line)
        began = time.monotonic_ns()
        handler(event, None)
        print(began, time.monotonic_ns(), file=answers, flush=True)


def _kilobytes() -> str:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
