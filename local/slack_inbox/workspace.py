"""The workspace: channels, messages in memory, and Slack's rules for posting and editing.

Sources: Slack's pages of the methods ``chat.postMessage``, ``chat.update`` and ``auth.test``, and
"Sending messages using incoming webhooks".
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from local.slack_inbox import blocks as block_kit

_MAX_POST = 40_000
_MAX_UPDATE = 4_000
CHANNEL_ID = "C0LOCAL0001"
BOT_ID = "B0LOCAL0001"


class SlackError(Exception):
    """A refusal, by Slack's own error word.

    Attributes:
        word: for instance ``channel_not_found``.
        details: Slack's ``response_metadata.messages``.
    """

    def __init__(self, word: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(word)
        self.word = word
        self.details = details


class RateLimitedError(Exception):
    """Too many posts; the answer is HTTP 429 with ``Retry-After``.

    Attributes:
        retry_after_seconds: whole seconds.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"retry after {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class Shared(Protocol):
    """A file that a message carries."""

    @property
    def alt(self) -> str:
        """Its description for a screen reader."""
        ...

    @property
    def title(self) -> str:
        """What it is called."""
        ...

    @property
    def content(self) -> bytes:
        """Its bytes."""
        ...

    @property
    def is_picture(self) -> bool:
        """Whether a page can show it."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return what an answer says of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it stands now. ``author`` is the bot, or the incoming webhook."""

    channel: str
    ts: str
    thread_ts: str | None
    author: str
    text: str
    blocks: tuple[Mapping[str, Any], ...]
    posted_at: datetime
    edited_at: datetime | None = None
    files: tuple["Shared", ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the message as ``/messages.json`` shows it."""
        return {
            "channel": self.channel,
            "ts": self.ts,
            "thread_ts": self.thread_ts,
            "author": self.author,
            "text": self.text,
            "blocks": list(self.blocks),
            "edited": self.edited_at is not None,
            "files": [file.as_json() for file in self.files],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most ``posts`` in any span of ``per_seconds`` (real seconds), over the whole workspace."""

    posts: int
    per_seconds: float


class Workspace:
    """One channel and everything that was posted to it. Thread-safe.

    Args:
        channel: the channel's name, without ``#``.
        clock: stamps the messages.
        monotonic: measures the rate, in seconds.
        rate_limit: None for no limit.
    """

    def __init__(
        self,
        *,
        channel: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.channel = channel
        self._clock = clock
        self._monotonic = monotonic
        self._rate_limit = rate_limit
        self._posted: deque[float] = deque()
        self._messages: dict[str, Message] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """What the workspace takes for the time."""
        return self._clock()

    def messages(self) -> list[Message]:
        """Return all messages, oldest first."""
        with self._lock:
            return list(self._messages.values())

    def post(self, given: Mapping[str, Any], *, author: str) -> Message:
        """Post a message.

        Args:
            given: the members ``channel``, ``text``, ``blocks``, ``thread_ts`` of the request.
            author: who posts.

        Raises:
            SlackError: channel_not_found, no_text, msg_too_long, invalid_blocks,
                msg_blocks_too_long, cannot_reply_to_message.
            RateLimitedError: above the configured rate.
        """
        with self._lock:
            self._take_a_turn()
            self._check_channel(given.get("channel"))
            blocks = self._check_blocks(given.get("blocks", []))
            text = given.get("text") or ""
            if not text and not blocks:
                raise SlackError("no_text")
            if len(text) > _MAX_POST:
                raise SlackError("msg_too_long")
            thread = given.get("thread_ts")
            if thread is not None and thread not in self._messages:
                raise SlackError("cannot_reply_to_message")
            now = self._clock()
            message = Message(
                channel=CHANNEL_ID,
                ts=f"{int(now.timestamp())}.{next(self._numbers):06d}",
                thread_ts=thread,
                author=author,
                text=text,
                blocks=blocks,
                posted_at=now,
            )
            self._messages[message.ts] = message
            return message

    def share(
        self, given: Mapping[str, Any], files: Callable[[], tuple[Shared, ...]], *, author: str
    ) -> Message:
        """Post uploaded files as a message.

        Args:
            given: the members ``channel_id``, ``thread_ts``, ``initial_comment`` of the request.
            files: takes them, once it is sure that they can be posted.
            author: who posts.

        Raises:
            SlackError: channel_not_found, thread_not_found; whatever `files` raises.
            RateLimitedError: above the configured rate.
        """
        with self._lock:
            self._take_a_turn()
            if given.get("channel_id") != CHANNEL_ID:  # unlike a post, it takes no name
                raise SlackError("channel_not_found")
            thread = given.get("thread_ts")
            parent = self._messages.get(str(thread))
            if thread is not None and (parent is None or parent.thread_ts is not None):
                raise SlackError("thread_not_found")
            now = self._clock()
            message = Message(
                channel=CHANNEL_ID,
                ts=f"{int(now.timestamp())}.{next(self._numbers):06d}",
                thread_ts=thread,
                author=author,
                text=str(given.get("initial_comment") or ""),
                blocks=(),
                posted_at=now,
                files=files(),
            )
            self._messages[message.ts] = message
            return message

    def update(self, given: Mapping[str, Any], *, author: str) -> Message:
        """Edit a message; blocks that are not given stay as they are.

        Raises:
            SlackError: channel_not_found, message_not_found, cant_update_message (somebody else's),
                no_text, msg_too_long, invalid_blocks, msg_blocks_too_long.
        """
        with self._lock:
            if given.get("channel") != CHANNEL_ID:  # unlike a post, an update takes no name
                raise SlackError("channel_not_found")
            old = self._messages.get(str(given.get("ts")))
            if old is None:
                raise SlackError("message_not_found")
            if old.author != author:
                raise SlackError("cant_update_message")
            if "text" not in given and "blocks" not in given:
                raise SlackError("no_text")
            text = given.get("text", old.text)
            if len(text) > _MAX_UPDATE:
                raise SlackError("msg_too_long")
            blocks = old.blocks
            if "blocks" in given:
                blocks = self._check_blocks(given["blocks"])
            if not text and not blocks:
                raise SlackError("no_text")
            new = replace(old, text=text, blocks=blocks, edited_at=self._clock())
            self._messages[new.ts] = new
            return new

    def _check_channel(self, channel: Any) -> None:
        if channel not in {CHANNEL_ID, self.channel, f"#{self.channel}"}:
            raise SlackError("channel_not_found")

    def _check_blocks(self, blocks: Any) -> tuple[Mapping[str, Any], ...]:
        found = block_kit.problems(blocks)
        if found:
            raise SlackError("invalid_blocks", tuple(f"[ERROR] {problem}" for problem in found))
        if block_kit.size(blocks) > block_kit.MAX_SIZE:
            raise SlackError("msg_blocks_too_long")
        return tuple(blocks)

    def _take_a_turn(self) -> None:
        if self._rate_limit is None:
            return
        now, span = self._monotonic(), self._rate_limit.per_seconds
        while self._posted and self._posted[0] <= now - span:
            self._posted.popleft()
        if len(self._posted) >= self._rate_limit.posts:
            raise RateLimitedError(max(1, int(self._posted[0] + span - now) + 1))
        self._posted.append(now)
