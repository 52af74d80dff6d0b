"""A share of a processor, as Lambda gives it by memory: 1,769 MB are a whole one.

Source: Lambda developer guide, "Configure Lambda function memory". Linux gives it by a quota of
each period; that Lambda does just so is assumed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

WHOLE_MB, PERIOD_US = 1769, 20_000
CONTROLLERS = Path("/sys/fs/cgroup/cpu")


class Share:
    """Gives each process a control group with as much processor as that memory gives."""

    def __init__(self, memory_mb: int) -> None:
        self._quota_us = PERIOD_US * memory_mb // WHOLE_MB
        self._folders: list[Path] = []

    def close(self) -> None:
        """Removes the groups of processes that have ended."""
        for folder in self._folders:
            # One that still holds a process stays, and does nothing.
            with contextlib.suppress(OSError):
                folder.rmdir()

    def limit(self, pid: int) -> None:
        """Puts a process into a group of its own."""
        folder = CONTROLLERS / f"rollback-bench-{pid}"
        folder.mkdir()
        self._folders.append(folder)
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(self._quota_us))
        (folder / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def share_of(memory_mb: int | None) -> Iterator[Share | None]:
    """A share; None where none is wanted, and on a machine that lets nobody make one."""
    if memory_mb is None:
        yield None
        return
    probe = CONTROLLERS / "rollback-bench"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        yield None
        return
    with contextlib.closing(Share(memory_mb)) as share:
        yield share
