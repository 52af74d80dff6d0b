"""The HTTP face of the local Slack: webhooks, some Web API methods, and the channel's page."""

import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.loopback import LoopbackServer, Request, Response
from local.slack_inbox import page
from local.slack_inbox.pressing import (
    ANN,
    SIGNING_SECRET,
    Person,
    Pressed,
    Presser,
    PressError,
    button_of,
)
from local.slack_inbox.uploads import Uploads
from local.slack_inbox.workspace import (
    BOT_ID,
    CHANNEL_ID,
    Message,
    RateLimit,
    RateLimitedError,
    SlackError,
    Workspace,
)

TOKEN = "xoxb-local-0001"  # noqa: S105 - opens nothing but this inbox
WEBHOOK_PATH = "/services/T0LOCAL01/B0LOCAL01/local0000000000000000001"
UPLOAD_PATH = "/upload/v1/"
_BOT, _WEBHOOK, _WHISPER = "bot", "webhook", "whisper"
# Where the app answers a press, followed by the message's timestamp and the press's number.
ANSWERS = "/actions/"
# A page that runs only what it brought along, and loads nothing.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " img-src data:"
)


class SlackInbox:
    """A local Slack with one channel; a context manager.

    Args:
        channel: the channel's name, without ``#``.
        clock: stamps the messages; model time in the demo.
        rate_limit: answers 429 above it; None for no limit.

    Attributes:
        workspace: what was posted.
        uploads: files that are not shared yet.
        token: the bot token that the Web API accepts.
        channel_id: the channel's id, as answers carry it.
        presser: presses buttons; give its ``url`` the app's address.
        signing_secret: signs every press.
    """

    def __init__(
        self,
        *,
        channel: str,
        clock: Callable[[], datetime],
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.workspace = Workspace(
            channel=channel, clock=clock, monotonic=time.monotonic, rate_limit=rate_limit
        )
        self.uploads = Uploads()
        self.token = TOKEN
        self.channel_id = CHANNEL_ID
        self.presser = Presser()
        self.signing_secret = SIGNING_SECRET
        self._presses: list[Pressed] = []
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._answer)

    @property
    def presses(self) -> tuple[Pressed, ...]:
        """Every press so far, oldest first, also one that still waits for its answer."""
        with self._lock:
            return tuple(self._presses)

    @property
    def url(self) -> str:
        """The address of the channel's page."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The base address of the Web API: slack_sdk's ``base_url``."""
        return f"{self._server.url}/api/"

    @property
    def webhook_url(self) -> str:
        """The address of the incoming webhook."""
        return self._server.url + WEBHOOK_PATH

    def messages(self) -> list[Message]:
        """Return all messages, oldest first."""
        return self.workspace.messages()

    def for_everybody(self) -> list[Message]:
        """Return the messages that not only whoever pressed a button sees, oldest first."""
        return [message for message in self.messages() if message.author != _WHISPER]

    def words_and_pictures(self) -> tuple[int, int]:
        """Return how many messages hold words for everybody, and how many hold files."""
        shown = self.for_everybody()
        files = sum(bool(message.files) for message in shown)
        return len(shown) - files, files

    def save(self, path: Path) -> None:
        """Save the channel's page as a file that needs no server."""
        path.write_text(page.render(self.workspace, live=False), encoding="utf-8")

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _answer(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        try:
            if path.startswith("/services/"):
                return self._webhook(request, path)
            if path.startswith(UPLOAD_PATH):
                return self._upload(request, path.removeprefix(UPLOAD_PATH))
            if path.startswith("/api/"):
                return self._api(request, path.removeprefix("/api/"))
        except RateLimitedError as limited:
            return _json(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers=(("Retry-After", str(limited.retry_after_seconds)),),
            )
        if path == "/press" and request.method == "POST" and _is_json(request):
            return self._pressed(_object(request.body, "invalid_json"))
        if path.startswith(ANSWERS) and request.method == "POST":
            return self._whispered(path.removeprefix(ANSWERS), request)
        if path == "/messages.json":
            return _json([message.as_json() for message in self.messages()])
        if path == "/fragment":
            return _html(page.channel(self.workspace))
        if path == "/":
            return _html(page.render(self.workspace, live=True))
        return _plain(404, "not_found")

    def press(self, ts: str, action_id: str, *, by: Person = ANN, in_page: bool = False) -> int:
        """Press a button as somebody; return the HTTP status of the app's answer.

        Raises:
            PressError: there is no such message or button, or nobody answers.
        """
        message = next((one for one in self.messages() if one.ts == ts), None)
        if message is None:
            raise PressError(f"there is no message {ts!r}")
        label = button_of(message, action_id)["text"]["text"]
        number = self._begin(
            Pressed(action=action_id, label=label, in_page=in_page, at=self.workspace.now())
        )
        began, status = time.monotonic(), None
        try:
            status = self.presser.press(
                message,
                action_id,
                by=by,
                now=self.workspace.now(),
                response_url=f"{self.url}{ANSWERS}{ts}/{number}",
            )
        finally:
            self._note(number, status=status, seconds=time.monotonic() - began, is_over=True)
        return status

    def _begin(self, pressed: Pressed) -> int:
        with self._lock:
            self._presses.append(pressed)
            return len(self._presses) - 1

    def _note(self, number: int, **found: Any) -> None:
        with self._lock:
            self._presses[number] = replace(self._presses[number], **found)

    def _pressed(self, given: Mapping[str, Any]) -> Response:
        """A press in the page."""
        try:
            status = self.press(str(given.get("ts")), str(given.get("action_id")), in_page=True)
        except PressError as error:
            return _json({"ok": False, "error": str(error)})
        return _json({"ok": status == 200, "error": f"the app answered {status}"})  # noqa: PLR2004

    def _whispered(self, path: str, request: Request) -> Response:
        """What the app answers to whoever pressed; nobody else would see it."""
        ts, _, number = path.partition("/")
        told = str(_object(request.body, "invalid_json").get("text"))
        if not number.isdigit() or int(number) >= len(self.presses):
            return _plain(404, "no_such_press")
        self._note(int(number), told=told)
        text = f"_Only visible to {ANN.name}:_ {told}"
        try:
            self.workspace.post(
                {"channel": CHANNEL_ID, "text": text, "thread_ts": ts}, author=_WHISPER
            )
        except SlackError as error:
            return _plain(400, error.word)
        return _plain(200, "ok")

    def _webhook(self, request: Request, path: str) -> Response:
        if path != WEBHOOK_PATH:
            return _plain(404, "no_service")
        try:
            given = _webhook_payload(request)
            # A webhook belongs to one channel; Slack ignores a channel in its payload.
            self.workspace.post({**given, "channel": CHANNEL_ID}, author=_WEBHOOK)
        except SlackError as error:
            return _plain(400, error.word)
        return _plain(200, "ok")

    def _upload(self, request: Request, file_id: str) -> Response:
        taken = request.method == "POST" and self.uploads.upload(file_id, request.body)
        return _plain(200, f"OK - {len(request.body)}") if taken else _plain(400, "bad_upload")

    def _api(self, request: Request, method: str) -> Response:
        try:
            given = _arguments(request)
            self._check_token(request, given)
            return _json({"ok": True, **self._call(method, given)})
        except SlackError as error:
            refusal: dict[str, Any] = {"ok": False, "error": error.word}
            if error.details:
                refusal["response_metadata"] = {"messages": list(error.details)}
            return _json(refusal)

    def _call(self, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "auth.test":
                return self._auth_test()
            case "chat.postMessage":
                posted = self.workspace.post(given, author=_BOT)
                return {"channel": posted.channel, "ts": posted.ts, "message": _shown(posted)}
            case "chat.update":
                edited = self.workspace.update(given, author=_BOT)
                return {
                    "channel": edited.channel,
                    "ts": edited.ts,
                    "text": edited.text,
                    "message": _shown(edited),
                }
            case "files.getUploadURLExternal":
                file = self.uploads.announce(given)
                return {"upload_url": f"{self.url}{UPLOAD_PATH}{file.id}", "file_id": file.id}
            case "files.completeUploadExternal":
                shared = self.workspace.share(
                    given, lambda: self.uploads.complete(given), author=_BOT
                )
                return {"files": [file.as_json() for file in shared.files]}
            case _:
                raise SlackError("unknown_method")

    def _check_token(self, request: Request, given: Mapping[str, Any]) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            token = str(given.get("token", ""))
        if not token:
            raise SlackError("not_authed")
        if token != self.token:
            raise SlackError("invalid_auth")

    def _auth_test(self) -> dict[str, Any]:
        return {
            "url": f"{self.url}/",
            "team": "Local",
            "user": "rollback",
            "team_id": "T0LOCAL01",
            "user_id": "U0LOCAL01",
            "bot_id": BOT_ID,
        }


def _shown(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": "message",
        "bot_id": BOT_ID,
        "text": message.text,
        "blocks": list(message.blocks),
        "ts": message.ts,
    }
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    return shown


def _form(request: Request) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(request.body.decode()))


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


def _object(text: bytes | str, word: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise SlackError(word) from error
    if not isinstance(given, dict):
        raise SlackError(word)
    return given


def _webhook_payload(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        raise SlackError("invalid_payload")
    text = request.body if _is_json(request) else _form(request).get("payload", "")
    return _object(text, "invalid_payload")


def _arguments(request: Request) -> dict[str, Any]:
    """Return the arguments of a method; in a form, structured ones are JSON texts."""
    if _is_json(request):
        given = _object(request.body or b"{}", "invalid_json")
    else:
        given = dict(_form(request))
    if isinstance(given.get("blocks"), str):
        try:
            given["blocks"] = json.loads(given["blocks"])
        except ValueError as error:
            raise SlackError("invalid_blocks_format") from error
    return given


def _json(body: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(
        status=status,
        content_type="application/json; charset=utf-8",
        body=json.dumps(body).encode(),
        headers=headers,
    )


def _plain(status: int, text: str) -> Response:
    return Response(status=status, content_type="text/html", body=text.encode())


def _html(text: str) -> Response:
    return Response(
        status=200,
        content_type="text/html; charset=utf-8",
        body=text.encode(),
        headers=(("Content-Security-Policy", _POLICY), ("Cache-Control", "no-store")),
    )
