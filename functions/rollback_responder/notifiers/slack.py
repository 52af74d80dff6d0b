"""Messages to Slack: Block Kit through slack_sdk, escaped and within Slack's limits.

With a bot token an incident is one thread whose head is edited in place. An incoming webhook
cannot edit, so it gets one message for each state: most incidents have one or two.

Facts relied on (Slack API documentation): `&`, `<`, `>` are the only control characters; a header
holds 150 characters, a section's text 3,000, a field 2,000, a confirmation 300; 429 carries
`Retry-After`; a file is shared by its upload address and files.completeUploadExternal, by channel
id, under a thread's head.
All blocks of a message together hold some 13,000 characters, which is not published: it was
measured by others (slackapi/bolt-js, issue 2509).
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import urlparse

from msgspec import Struct
from msgspec.structs import replace
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from rollback_responder.domain.errors import MessageGone, NotificationError
from rollback_responder.domain.policy import Mention
from rollback_responder.domain.policy import Slack as SlackPolicy
from rollback_responder.domain.redaction import redacted
from rollback_responder.notifiers.bulletin import Bulletin
from rollback_responder.notifiers.links import Link
from rollback_responder.notifiers.message import Button, Message
from rollback_responder.ports import Thread

# The message to edit or to reply to was deleted, is another app's, or may no longer be edited here
# (Slack Web API, chat.update, "Errors").
GONE = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
        "cant_update_message",
        "edit_window_closed",
    }
)
# Or the channel that it stands in is closed; today's may be another one.
OUT_OF_REACH = GONE | {"channel_not_found", "is_archived", "not_in_channel"}
# What comes instead of an answer.
UNREACHABLE = (SlackClientError, OSError, HTTPException)
HEADER_LIMIT, TEXT_LIMIT, FIELD_LIMIT, CONFIRM_LIMIT = 150, 3000, 2000, 300
# A message that would be too long as a whole has shorter parts, all alike.
ALL_LIMIT, LINKS_LIMIT, PART_LIMITS = 10_000, 2000, (TEXT_LIMIT, 1500, 500)
TIMEOUT_SECONDS = 10
# Slack waits three seconds for whoever takes a press (Slack, "Handling user interaction").
ANSWER_SECONDS = 1
PICTURE = "incident.png"
# More people than these are counted, not named.
MOST_NAMES = 10
# What stands for the name of a message that a webhook posted, or left to that of its storm.
WEBHOOK, IN_A_STORM = "webhook", "webhook, in a storm"
# These answers do not change by asking again; anything else might.
FINAL_ERRORS = frozenset(
    {
        "invalid_blocks",
        "invalid_payload",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
    }
)


class SlackSecret(Struct, frozen=True, kw_only=True):
    """How to reach Slack: a bot token or an incoming webhook. How to know it: a signing secret.

    `api_url` is for a Slack other than slack.com, such as GovSlack's https://slack-gov.com/api/.
    """

    webhook_url: str | None = None
    bot_token: str | None = None
    signing_secret: str | None = None
    api_url: str = "https://slack.com/api/"

    def __repr__(self) -> str:
        return "SlackSecret(<secret>)"


def parse_secret(text: str) -> SlackSecret:
    """Reads the Slack secret. Its values never appear in an error.

    Raises:
        NotificationError: naming what the secret must hold.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        raise _unusable("is not a JSON object")
    known = {"webhook_url", "bot_token", "signing_secret", "api_url"}
    unknown = sorted(str(key)[:40] for key in document if key not in known)
    if unknown:
        raise _unusable(f"has unknown keys: {', '.join(unknown)}")
    values = {key: value for key, value in document.items() if value}
    if not all(isinstance(value, str) for value in values.values()):
        raise _unusable("holds something other than strings")
    if not values.keys() & {"webhook_url", "bot_token"}:
        raise _unusable("holds neither a webhook_url nor a bot_token yet")
    for key in ("webhook_url", "api_url"):
        if key in values and not _is_safe(values[key]):
            raise _unusable(f"has a {key} that is not https")
    return SlackSecret(**values)


def _unusable(what: str) -> NotificationError:
    return NotificationError(
        f'the Slack secret {what}; put {{"webhook_url": "https://..."}} or '
        '{"bot_token": "xoxb-..."} there',
        retryable=True,
    )


def _is_safe(url: str) -> bool:
    """Secrets travel by https only; loopback is the one place where nobody can listen."""
    parts = urlparse(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    )


class BotThread:
    """A thread whose head is edited in place. Needs the scopes chat:write and files:write."""

    takes_pictures = True

    def __init__(self, secret: SlackSecret, policy: SlackPolicy) -> None:
        self._policy = policy
        self._client = WebClient(
            token=secret.bot_token,
            base_url=secret.api_url,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=2)],
        )

    def check(self) -> None:
        """See `Thread.check`. One auth.test call, which needs no scope and posts nothing."""
        _asked(self._client.auth_test)

    def announce(self, bulletin: Bulletin, *, rings: bool = False) -> str:
        """See `Thread.announce`."""
        content = bulletin_content(bulletin, self._policy, rings=rings)
        answer = _asked(
            lambda: self._client.chat_postMessage(
                channel=self._policy.channel, unfurl_links=False, **content
            )
        )
        return f"{answer['channel']}/{answer['ts']}"

    def amend(self, head: str, bulletin: Bulletin, *, news: bool) -> None:
        """See `Thread.amend`."""
        del news
        place = _place(head)
        content = bulletin_content(bulletin, self._policy, rings=False)
        _asked(
            lambda: self._client.chat_update(channel=place.channel, ts=place.ts, **content),
            OUT_OF_REACH,
        )

    def open(self, message: Message, *, under: str | None = None) -> str:
        """See `Thread.open`. The head's name is its channel id and its timestamp.

        Under another message it rings nobody: that one has. There its thread's timestamp follows,
        and the service, which has no slash: what is said there has to say what it is about.
        """
        rings = message.pages and under is None
        content = _content(message, self._policy, rings=rings, by_name=rings)
        root = _place(under).thread if under else None
        answer = _asked(
            lambda: self._client.chat_postMessage(
                channel=self._policy.channel, thread_ts=root, **content
            )
        )
        head = f"{answer['channel']}/{answer['ts']}"
        return f"{head}/{root}/{message.service}" if root else head

    def reply(self, head: str, text: str, *, rings: bool) -> None:
        """See `Thread.reply`. An edit rings nobody, so a page is one, in the channel too."""
        place = _place(head)
        rings = rings and not place.is_reply
        ring = _ring(self._policy.mention) if rings else ""
        _asked(
            lambda: self._client.chat_postMessage(
                channel=place.channel,
                thread_ts=place.thread,
                text=_cut(f"{ring}{_escaped(place.about + text)}", TEXT_LIMIT),
                unfurl_links=False,
                reply_broadcast=rings,
            ),
            OUT_OF_REACH,
        )

    def pass_on(self, head: str | None, text: str) -> None:
        """See `Thread.pass_on`. Where the message is gone, it stands in the channel."""
        try:
            place = _place(head or "")
            self._said(place.channel, place.about + text, thread_ts=place.thread)
        except MessageGone:
            self._said(self._policy.channel, text)

    def _said(self, channel: str, text: str, *, thread_ts: str | None = None) -> None:
        said = _cut(_escaped(text), TEXT_LIMIT)
        _asked(
            lambda: self._client.chat_postMessage(
                channel=channel, text=said, unfurl_links=False, thread_ts=thread_ts
            ),
            OUT_OF_REACH if thread_ts else GONE,
        )

    def update(self, head: str, message: Message, *, news: bool) -> None:
        """See `Thread.update`. The same edit twice does no harm."""
        del news
        place = _place(head)
        content = _content(message, self._policy, rings=False, by_name=True)
        _asked(
            lambda: self._client.chat_update(channel=place.channel, ts=place.ts, **content),
            OUT_OF_REACH,
        )

    def show(self, head: str, png: bytes, *, alt: str, title: str) -> None:
        """See `Thread.show`. Three calls: an address, the upload, and where it is shared."""
        place = _place(head)
        _asked(
            lambda: self._client.files_upload_v2(
                filename=PICTURE,
                content=png,
                title=_plain(title),
                alt_txt=_plain(alt),
                channel=place.channel,
                thread_ts=place.thread,
            )
        )


class WebhookThread:
    """An incoming webhook: it can only post, so steps are not told one by one."""

    takes_pictures = False

    def __init__(self, secret: SlackSecret, policy: SlackPolicy) -> None:
        self._policy = policy
        self._client = WebhookClient(
            secret.webhook_url or "",
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=2)],
        )

    def check(self) -> None:
        """See `Thread.check`. Nothing: a webhook can only be asked to post."""

    def announce(self, bulletin: Bulletin, *, rings: bool = False) -> str:
        """See `Thread.announce`."""
        self._send(**bulletin_content(bulletin, self._policy, rings=rings))
        return WEBHOOK

    def amend(self, head: str, bulletin: Bulletin, *, news: bool) -> None:
        """See `Thread.amend`. One more message, where there is news."""
        del head
        if news:
            self._send(**bulletin_content(bulletin, self._policy, rings=False))

    def open(self, message: Message, *, under: str | None = None) -> str:
        """See `Thread.open`. Nothing under another message, unless somebody is needed."""
        if under is not None and not message.pages:
            return IN_A_STORM
        self._post(message)
        return WEBHOOK

    def reply(self, head: str, text: str, *, rings: bool) -> None:
        """See `Thread.reply`. Nothing: the messages already hold what matters."""
        del head, text, rings

    def update(self, head: str, message: Message, *, news: bool) -> None:
        """See `Thread.update`. One more message, where there is news."""
        if news and head == IN_A_STORM and message.pages:
            raise MessageGone("a storm's message cannot be edited", retryable=False)
        if news and head != IN_A_STORM:
            self._post(message)

    def pass_on(self, head: str | None, text: str) -> None:
        """See `Thread.pass_on`. One more message."""
        del head
        self._send(text=_cut(_escaped(text), TEXT_LIMIT))

    def show(self, head: str, png: bytes, *, alt: str, title: str) -> None:
        """See `Thread.show`. Nothing: a webhook cannot upload."""
        del head, png, alt, title

    def _post(self, message: Message) -> None:
        rings = message.pages
        self._send(**_content(message, self._policy, rings=rings, by_name=rings))

    def _send(self, **content: Any) -> None:
        try:
            answer = self._client.send(**content)
        except UNREACHABLE as error:
            raise _unreachable(error) from None
        if answer.status_code != 200:  # noqa: PLR2004 - HTTP
            raise _refused(answer.body, answer.status_code)


def whisper(url: str, text: str) -> None:
    """Tells one person, at the address that came with their press, what came of it.

    Raises:
        NotificationError: it was not taken, or it is no address of Slack's.
    """
    if not _is_slack(url):
        raise NotificationError("the address to answer at is not Slack's", retryable=False)
    client = WebhookClient(url, timeout=ANSWER_SECONDS)
    try:
        answer = client.send(
            text=_cut(_escaped(text), TEXT_LIMIT), response_type="ephemeral", replace_original=False
        )
    except UNREACHABLE as error:
        raise _unreachable(error) from None
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP
        raise _refused(answer.body, answer.status_code)


def _is_slack(url: str) -> bool:
    parts = urlparse(url)
    ours = parts.hostname in {"hooks.slack.com", "hooks.slack-gov.com", "127.0.0.1"}
    return ours and _is_safe(url)


def open_slack(secret: SlackSecret, policy: SlackPolicy) -> Thread:
    """A bot's thread where there is a token, else the webhook."""
    return BotThread(secret, policy) if secret.bot_token else WebhookThread(secret, policy)


def blocks_of(message: Message, *, pressable: bool = False, pressers: str = "") -> list[Block]:
    """The message as Block Kit. Everything that was not written here is escaped.

    Its buttons are there where somebody may press them; `pressers` says who that is.
    """
    return _fitting(lambda limit: _blocks(message, limit, pressable=pressable, pressers=pressers))


def _fitting(make: Callable[[int], list[Block]]) -> list[Block]:
    """The blocks with parts as long as they may be, for Slack to take all of them together."""
    blocks: list[Block] = []
    for limit in PART_LIMITS:
        blocks = make(limit)
        if sum(len(_json(block.to_dict())) for block in blocks) <= ALL_LIMIT:
            break
    return blocks


def _blocks(message: Message, limit: int, *, pressable: bool, pressers: str) -> list[Block]:
    sections = [
        ("What happened", message.happened),
        ("What was done", message.done),
        ("How it stands", message.stands),
        ("Next", message.next_step),
    ]
    header = _cut(f":{message.icon}: {_plain(message.headline)}", HEADER_LIMIT)
    links = _links(message.links)
    return [
        HeaderBlock(text=PlainTextObject(text=header, emoji=True)),
        SectionBlock(
            fields=[
                _mrkdwn(f"*{label}*\n{_escaped(value)}", min(limit, FIELD_LIMIT))
                for label, value in message.facts
            ]
        ),
        *(
            SectionBlock(text=_mrkdwn(f"*{title}*\n{_escaped(text)}", limit))
            for title, text in sections
            if text
        ),
        *([_actions(message)] if pressable and message.buttons else []),
        *([ContextBlock(elements=[_mrkdwn(pressers, TEXT_LIMIT)])] if pressers else []),
        DividerBlock(),
        ContextBlock(
            elements=[
                *([_mrkdwn(links, LINKS_LIMIT)] if links else []),
                PlainTextObject(text=_plain(message.footer)),
            ]
        ),
    ]


def _links(links: Sequence[Link]) -> str:
    """As many as there is room for: half a link would lead nowhere."""
    shown: list[str] = []
    for link in links:
        more = f"<{link.url}|{_escaped(link.label)}>"
        if len(" · ".join([*shown, more])) <= LINKS_LIMIT:
            shown.append(more)
    return " · ".join(shown)


def _actions(message: Message) -> Block:
    """The buttons. What each means is in its name, what it is about in its value."""
    return ActionsBlock(
        elements=[
            ButtonElement(
                text=button.label,
                action_id=button.action,
                value=_value(message),
                style=button.style,
                confirm=_confirm(button),
            )
            for button in message.buttons
        ]
    )


def _value(message: Message) -> str:
    """What its buttons are about: it stands in each of them, word for word."""
    return _json({"service": message.service, "incident_id": message.incident_id})


def _confirm(button: Button) -> ConfirmObject | None:
    if button.confirm is None:
        return None
    text = PlainTextObject(text=_cut(_plain(button.confirm), CONFIRM_LIMIT))
    return ConfirmObject(title=button.label, text=text, confirm="Yes", deny="No")


def bulletin_content(bulletin: Bulletin, policy: SlackPolicy, *, rings: bool) -> dict[str, Any]:
    """A bulletin as Block Kit; `text` is what screen readers and lock screens get."""
    ring = _ring(policy.mention) if rings else ""
    blocks = _fitting(lambda limit: _bulletin_blocks(bulletin, ring, limit))
    text = _cut(f"{ring}{_escaped(bulletin.headline)}", TEXT_LIMIT)
    return {"text": text, "blocks": [block.to_dict() for block in blocks]}


def _bulletin_blocks(bulletin: Bulletin, ring: str, limit: int) -> list[Block]:
    header = _cut(f":{bulletin.icon}: {_plain(bulletin.headline)}", HEADER_LIMIT)
    return [
        HeaderBlock(text=PlainTextObject(text=header, emoji=True)),
        *([SectionBlock(text=_mrkdwn(ring.strip(), TEXT_LIMIT))] if ring else []),
        *(
            SectionBlock(text=_mrkdwn(f"*{title}*\n{_escaped(text)}", limit))
            for title, text in bulletin.parts
        ),
        ContextBlock(elements=[PlainTextObject(text=_plain(bulletin.footer))]),
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _mrkdwn(text: str, limit: int) -> MarkdownTextObject:
    """Marked-up text in which Slack links nothing by itself."""
    return MarkdownTextObject(text=_cut(text, limit), verbatim=True)


def _content(
    message: Message, policy: SlackPolicy, *, rings: bool, by_name: bool
) -> dict[str, Any]:
    """`text` is what screen readers and lock screens get."""
    if redacted(_value(message)) != _value(message):
        # What has the shape of a secret is shown to nobody; the command line knows it by its name.
        message = replace(message, buttons=())
    ring = _ring(policy.mention) if rings else ""
    text = f"{ring}{_escaped(message.headline)}. {_escaped(message.stands)}"
    pressable, pressers = bool(policy.approvers), _pressers(message, policy, by_name=by_name)
    found = blocks_of(message, pressable=pressable, pressers=pressers)
    blocks = [block.to_dict() for block in found]
    if ring:
        blocks.insert(1, SectionBlock(text=_mrkdwn(ring.strip(), TEXT_LIMIT)).to_dict())
    return {"text": _cut(text, TEXT_LIMIT), "blocks": blocks}


def _pressers(message: Message, policy: SlackPolicy, *, by_name: bool) -> str:
    """Who may press the buttons. Whoever is asked is named, which rings them, unless nobody is to.

    A mention in a message that is edited rings nobody (Slack help, "Use mentions in Slack").
    """
    count, asks = len(policy.approvers), message.asks
    if count == 0:
        return "Nobody may press a button: `slack.approvers` is empty." if asks else ""
    if not message.buttons:
        return ""
    if asks and by_name and policy.mention is not Mention.NOBODY:
        named = [f"<@{member}>" for member in policy.approvers[:MOST_NAMES]]
        rest = [f"{count - MOST_NAMES} more of `slack.approvers`"] if count > MOST_NAMES else []
        return f"May press: {', '.join([*named, *rest])}"
    people = "1 person" if count == 1 else f"{count} people"
    return f"May press: {people}, those in `slack.approvers`"


def _ring(mention: Mention) -> str:
    return "" if mention is Mention.NOBODY else f"<!{mention.value}> "


class _Place(Struct, frozen=True, kw_only=True):
    """Where a message is: its channel and timestamp, and that of the thread it is in.

    `about` is what is said first of all in a thread that others share.
    """

    channel: str
    ts: str
    thread: str
    about: str

    @property
    def is_reply(self) -> bool:
        return self.thread != self.ts


def _place(head: str) -> _Place:
    """Where a bot's message is; a webhook's has no place to edit or reply to."""
    channel, _, rest = head.partition("/")
    ts, _, rest = rest.partition("/")
    thread, _, service = rest.partition("/")
    if not ts:
        raise MessageGone("the message was posted by a webhook", retryable=False)
    about = f"{service} · " if service else ""
    return _Place(channel=channel, ts=ts, thread=thread or ts, about=about)


def _asked(call: Callable[[], Any], gone: frozenset[str] = GONE) -> Any:
    """One call of the Web API, its failure turned into ours, without URL or token.

    `gone` are the answers that say that the message it is about is out of reach.
    """
    try:
        return call()
    except SlackApiError as error:
        if error.response["error"] in gone:
            raise MessageGone("the message is out of reach", retryable=False) from None
        raise _refused(str(error.response["error"]), error.response.status_code) from None
    except UNREACHABLE as error:
        raise _unreachable(error) from None


def _refused(answer: str, status: int) -> NotificationError:
    # Slack answers with a word. Anything else comes from somewhere between, and may hold the URL.
    word = answer if re.fullmatch(r"[a-z_]{1,40}", answer) else "without a word"
    return NotificationError(f"Slack answered {status} {word}", retryable=word not in FINAL_ERRORS)


def _unreachable(error: Exception) -> NotificationError:
    return NotificationError(f"Slack cannot be reached: {type(error).__name__}", retryable=True)


def _plain(text: str) -> str:
    """Without secrets, and without characters of control, format and direction, which disguise."""
    return redacted("".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C"))


def _escaped(text: str) -> str:
    """Slack's three control characters, escaped; nothing in it can mention or link."""
    return _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    """Not longer than that; what was escaped is not cut in the middle."""
    if len(text) <= limit:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", text[: limit - 1]) + "…"
