"""The local Slack, spoken to by real slack_sdk clients."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from local.slack_inbox.server import SlackInbox
from local.slack_inbox.workspace import RateLimit

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}


@pytest.fixture
def inbox():
    with SlackInbox(channel="deploys", clock=lambda: NOW) as found:
        yield found


@pytest.fixture
def client(inbox):
    return WebClient(token=inbox.token, base_url=inbox.api_url)


def word_of(call, **arguments):
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return refused.value.response["error"]


def http(url, data=None, **headers):
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_post_reply_and_edit(inbox, client):
    assert client.auth_test()["user"] == "rollback"
    posted = client.chat_postMessage(channel="#deploys", text="t", blocks=[SECTION])
    assert posted["channel"] == inbox.channel_id
    assert posted["message"]["blocks"] == [SECTION]
    thread = posted["ts"]
    reply = client.chat_postMessage(channel=inbox.channel_id, text="r", thread_ts=thread)
    assert reply["message"]["thread_ts"] == thread
    edited = client.chat_update(channel=inbox.channel_id, ts=thread, text="t2")
    assert (edited["ts"], edited["text"]) == (thread, "t2")
    parent, child = inbox.messages()
    assert (parent.text, parent.edited_at, parent.blocks) == ("t2", NOW, (SECTION,))
    assert child.thread_ts == thread
    assert int(float(thread)) == int(NOW.timestamp())


def test_words_of_refusal(inbox, client):
    post, update, channel = client.chat_postMessage, client.chat_update, inbox.channel_id
    ts = post(channel=channel, text="x")["ts"]
    WebhookClient(inbox.webhook_url).send(text="by the webhook")
    other = inbox.messages()[-1].ts
    assert word_of(post, channel="#nowhere", text="x") == "channel_not_found"
    empty = {"channel": channel, "text": ""}
    assert word_of(client.api_call, api_method="chat.postMessage", json=empty) == "no_text"
    assert word_of(post, channel=channel, text="x" * 40_001) == "msg_too_long"
    assert word_of(post, channel=channel, text="x", blocks=[{"type": "x"}]) == "invalid_blocks"
    assert word_of(post, channel=channel, text="x", thread_ts="1.2") == "cannot_reply_to_message"
    assert word_of(update, channel=channel, ts="1.2", text="x") == "message_not_found"
    assert word_of(update, channel="#deploys", ts=ts, text="x") == "channel_not_found"
    assert word_of(update, channel=channel, ts=ts, text="x" * 4001) == "msg_too_long"
    assert word_of(update, channel=channel, ts=other, text="x") == "cant_update_message"
    assert word_of(client.conversations_list) == "unknown_method"
    nobody = WebClient(token="xoxb-wrong", base_url=inbox.api_url)
    assert word_of(nobody.auth_test) == "invalid_auth"
    assert json.loads(http(f"{inbox.api_url}auth.test", b"")[1])["error"] == "not_authed"
    refused = client.api_call
    with pytest.raises(SlackApiError) as error:
        refused("chat.postMessage", json={"channel": channel, "blocks": [{"type": "x"}]})
    assert error.value.response["response_metadata"]["messages"] == [
        "[ERROR] blocks[0]: unsupported type: x"
    ]


def test_a_form_is_understood_like_json(inbox, client):
    form = {"channel": inbox.channel_id, "text": "x", "blocks": json.dumps([SECTION])}
    assert client.api_call("chat.postMessage", data=form)["ok"]
    assert inbox.messages()[0].blocks == (SECTION,)


def test_the_incoming_webhook(inbox):
    webhook = WebhookClient(inbox.webhook_url)
    answer = webhook.send(text="hi", blocks=[SECTION])
    assert (answer.status_code, answer.body) == (200, "ok")
    assert webhook.send(text="").body == "no_text"
    bad = webhook.send(text="x", blocks=[{"type": "x"}])
    assert (bad.status_code, bad.body) == (400, "invalid_blocks")
    kind = {"Content-Type": "application/json"}
    assert http(inbox.webhook_url, b"{", **kind) == (400, "invalid_payload")
    assert http(inbox.webhook_url, b"payload=%7B%22text%22%3A%22form%22%7D") == (200, "ok")
    assert http(f"{inbox.url}/services/T1/B1/x", b"{}", **kind) == (404, "no_service")
    assert [message.text for message in inbox.messages()] == ["hi", "form"]


def test_above_the_rate_it_answers_429_with_retry_after():
    limit = RateLimit(posts=1, per_seconds=30)
    with SlackInbox(channel="deploys", clock=lambda: NOW, rate_limit=limit) as inbox:
        client = WebClient(token=inbox.token, base_url=inbox.api_url)
        client.chat_postMessage(channel="deploys", text="x")
        with pytest.raises(SlackApiError) as error:
            client.chat_postMessage(channel="deploys", text="x")
        assert error.value.response.status_code == 429
        assert error.value.response["error"] == "ratelimited"
        assert 1 <= int(error.value.response.headers["Retry-After"]) <= 31
        assert WebhookClient(inbox.webhook_url).send(text="x").status_code == 429


def test_the_page_the_fragment_the_list_and_the_saved_file(inbox, client, tmp_path):
    client.chat_postMessage(channel="deploys", text="<script>alert(1)</script> *done*")
    for path in ("/", "/fragment"):
        status, text = http(inbox.url + path)
        assert status == 200
        assert "<strong>done</strong>" in text
        assert "alert(1)</script>" not in text
    assert json.loads(http(f"{inbox.url}/messages.json")[1])[0]["edited"] is False
    assert http(f"{inbox.url}/other") == (404, "not_found")
    inbox.save(tmp_path / "channel.html")
    saved = (tmp_path / "channel.html").read_text(encoding="utf-8")
    assert "<script" not in saved
    assert "<strong>done</strong>" in saved


# -- files ----------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n and so on"


def test_a_picture_is_uploaded_into_a_thread_and_shown_there(inbox, client):
    thread = client.chat_postMessage(channel="#deploys", text="head")["ts"]
    answer = client.files_upload_v2(
        filename="a.png", content=PNG, title="A < B", alt_txt='the "words"',
        channel=inbox.channel_id, thread_ts=thread,
    )  # fmt: skip
    _, reply = inbox.messages()
    _, shown = http(inbox.url)

    assert answer["file"]["title"] == "A < B"
    assert reply.thread_ts == thread
    assert reply.as_json()["files"] == [
        {"id": "F0LOCAL0001", "name": "a.png", "title": "A < B", "alt_txt": 'the "words"'}
    ]
    assert 'src="data:image/png;base64,' in shown
    assert 'alt="the &quot;words&quot;"' in shown
    assert "<figcaption>A &lt; B</figcaption>" in shown


def test_what_is_no_picture_is_only_named(inbox, client):
    client.files_upload_v2(filename="a.txt", content="text", channel=inbox.channel_id)

    assert '<div class="file">a.txt</div>' in http(inbox.url)[1].replace("Uploaded file", "a.txt")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"filename": "a.png", "length": 0}, "missing_argument"),
        ({"filename": "", "length": 9}, "missing_argument"),
        ({"filename": "a.png", "length": "many"}, "invalid_arguments"),
        ({"filename": "a.png", "length": 9, "alt_txt": "a" * 1001}, "alt_txt_too_large"),
    ],
)
def test_an_upload_is_announced_as_slack_wants_it(client, given, word):
    assert word_of(client.api_call, api_method="files.getUploadURLExternal", data=given) == word


def test_only_what_was_announced_can_be_uploaded_once(client):
    url = client.files_getUploadURLExternal(filename="a.png", length=len(PNG))["upload_url"]

    assert http(url, PNG + b"more")[0] == 400
    assert http(url, PNG)[0] == 200
    assert http(url, PNG)[0] == 400
    assert http(url + "0", PNG)[0] == 400


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"channel_id": "#deploys"}, "channel_not_found"),
        ({"thread_ts": "1.5"}, "thread_not_found"),
        ({"files": [{"id": "F1"}]}, "file_not_found"),
        ({"files": "no json"}, "invalid_arguments"),
        ({"files": ["F1"]}, "invalid_arguments"),
    ],
)
def test_a_file_is_shared_as_slack_wants_it(inbox, client, changes, word):
    announced = client.files_getUploadURLExternal(filename="a.png", length=len(PNG))
    http(announced["upload_url"], PNG)
    given = {"channel_id": inbox.channel_id, "files": [{"id": announced["file_id"]}]} | changes
    if isinstance(given["files"], list):
        given["files"] = json.dumps(given["files"])

    assert word_of(client.api_call, api_method="files.completeUploadExternal", data=given) == word
    assert inbox.messages() == []


def test_a_file_that_was_not_uploaded_cannot_be_shared(inbox, client):
    announced = client.files_getUploadURLExternal(filename="a.png", length=len(PNG))
    files = [{"id": announced["file_id"]}]

    assert (
        word_of(client.files_completeUploadExternal, files=files, channel_id=inbox.channel_id)
        == "file_not_found"
    )
