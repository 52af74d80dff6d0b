"""What AWS takes a second: a bucket that is full at the start, and fills again at a rate."""


class Bucket:
    """Tokens for calls, by a clock of seconds. That AWS lets a second's worth burst is assumed."""

    def __init__(self, a_second: float) -> None:
        self._a_second = a_second
        self._tokens, self._at = a_second, 0.0

    def takes(self, at: float) -> bool:
        """Whether a call at that instant is taken."""
        filled = self._tokens + max(0.0, at - self._at) * self._a_second
        self._tokens, self._at = min(self._a_second, filled), max(at, self._at)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def ideal_seconds(calls: int, a_second: float) -> float:
    """The least time in which so many calls are taken."""
    return max(0.0, calls - a_second) / a_second
