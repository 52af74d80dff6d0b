"""A thread that calls functions again and again; its failure is the caller's failure."""

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self


class Heartbeat:
    """Calls each function in turn until the block ends.

    Args:
        functions: called in order, on one thread.
        every_seconds: the pause between two rounds, in real seconds.

    An exception ends the thread and is raised again when the block ends, so that a demo whose
    clockwork broke cannot look like a success.
    """

    def __init__(self, functions: Sequence[Callable[[], object]], *, every_seconds: float) -> None:
        self._functions = functions
        self._every = every_seconds
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._error is not None:
            raise self._error

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self._every):
                for function in self._functions:
                    function()
        except Exception as error:  # noqa: BLE001 - raised again on the caller's thread
            self._error = error
