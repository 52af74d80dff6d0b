"""Plays cases in a process of its own, within limits of memory and time."""

import random
import resource
import signal
import time
import traceback
from collections import Counter
from importlib import import_module
from pathlib import Path

from tests.fuzz.checks import Violation, harmless, kept_clean, lines_of_json
from tests.fuzz.noise import Noise

INPUTS = ("envelopes", "presses", "policies", "rows", "files")
# What a process may take beside what it takes when it is ready, and a case of its time.
MEMORY_BYTES = 512 * 2**20
SECONDS_A_CASE = 10


class Hung(BaseException):
    """A case takes longer than any may."""


class Player:
    """Plays cases in this process."""

    def __init__(self):
        from tests.fuzz.world import Stage  # noqa: PLC0415 - it takes standard output over

        self.stage = Stage()
        self.inputs = {name: import_module(f"tests.fuzz.{name}") for name in INPUTS}

    def make(self, name, seed, number):
        """The case of that number."""
        return self.inputs[name].make(Noise(random.Random(f"{seed}/{name}/{number}")))

    def play(self, name, case):
        """What came of a case, and what was violated, if anything was."""
        self.stage.logged()
        try:
            word = self._run(name, case)
        except Violation as violation:
            return None, (violation.kind, str(violation))
        except Hung:
            return None, ("hang", f"it took longer than {SECONDS_A_CASE} s")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            return None, ("uncaught", _where(error))
        return word, None

    def _run(self, name, case):
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_CASE)
        try:
            word = self.inputs[name].run(case, self.stage)
            lines_of_json(self.stage.logged())
            harmless(self.stage.slack.posts)
            if name not in {"rows", "files", "policies"} and self.stage.world.writes:
                kept_clean(self.stage.world.items())
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return word


def _where(error):
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/functions/" in f.filename]
    return f"{type(error).__name__}: {str(error)[:200]} ({' '.join(ours[-3:])})"


PLAYER: "Player | Exception | None" = None


def begin():
    """Makes a process ready, and limits its memory."""
    global PLAYER  # noqa: PLW0603 - one for each process of the pool
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, on_time_out)
    try:
        PLAYER = _ready()
    except Exception as error:  # noqa: BLE001 - a process that cannot begin is begun anew for ever
        PLAYER = error


def _ready():
    player = Player()
    for name in ("hot", "quiet", "asking", "watching", "fixed"):
        player.stage.before(name)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    return player


def on_time_out(*_):
    raise Hung


def play_chunk(task):
    """Some cases of one input."""
    if isinstance(PLAYER, Exception):
        raise PLAYER
    name, seed, first, count = task
    outcomes, broken, slowest, began = Counter(), [], (0.0, first), time.process_time()
    for number in range(first, first + count):
        start = time.process_time()
        word, violation = PLAYER.play(name, PLAYER.make(name, seed, number))
        slowest = max(slowest, (time.process_time() - start, number))
        if violation:
            broken.append((number, *violation))
        else:
            outcomes[word] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return name, count, outcomes, broken, slowest, time.process_time() - began, peak
