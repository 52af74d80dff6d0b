"""Processes that this run starts, and their certain end."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 5.0


@contextlib.contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C, so that every context manager ends its process.

    Outside the main thread, where Python cannot set handlers, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path, log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process in a group of its own, and end the whole group on the way out.

    Args:
        command: the program and its arguments.
        environment: the complete environment; nothing else is inherited.
        cwd: the working directory.
        log: receives standard output and standard error.

    Yields:
        The process; also when the caller fails or is interrupted, no member of its group is left.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end_group(process)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    # The group's id is the recorded id of its leader, and stays reserved while a member lives.
    _signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
