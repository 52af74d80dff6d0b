"""Block Kit limits, mrkdwn, and the page of the local Slack."""

from datetime import UTC, datetime

import pytest

from local.slack_inbox import blocks, mrkdwn, page
from local.slack_inbox.workspace import (
    CHANNEL_ID,
    RateLimit,
    RateLimitedError,
    SlackError,
    Workspace,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def mrk(text="x"):
    return {"type": "mrkdwn", "text": text}


def plain(text="x"):
    return {"type": "plain_text", "text": text}


def button(**changes):
    return {"type": "button", "text": plain(), "action_id": "a", **changes}


def section(**changes):
    return {"type": "section", "text": mrk(), **changes}


def image(alt="a"):
    return {"type": "image", "image_url": "https://x/y.png", "alt_text": alt}


def confirming(**changes):
    dialog = {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain()}
    return actions(button(confirm=dialog | changes))


def actions(*buttons):
    return {"type": "actions", "elements": list(buttons)}


GOOD = [
    {"type": "header", "text": {**plain("h" * 150), "emoji": True}},
    section(text=mrk("t" * 3000), block_id="b" * 255),
    {"type": "section", "fields": [mrk("f" * 2000)] * 10},
    section(accessory=button()),
    {"type": "divider"},
    {"type": "context", "elements": [mrk(), plain()] * 5},
    actions(button(text=plain("b" * 75), url="https://x/" + "u" * 2990, style="danger", value="v")),
    actions(
        button(
            confirm={
                "title": plain("t" * 100),
                "text": plain("t" * 300),
                "confirm": plain("t" * 30),
                "deny": plain("t" * 30),
                "style": "danger",
            }
        ),
        button(action_id="b" * 255, value="v" * 2000, accessibility_label="l" * 75),
    ),
    section(accessory=image("a" * 2000)),
]
BAD = {
    "header mrkdwn": {"type": "header", "text": mrk()},
    "header too long": {"type": "header", "text": plain("h" * 151)},
    "header empty": {"type": "header", "text": plain("")},
    "section text too long": section(text=mrk("t" * 3001)),
    "section of nothing": {"type": "section"},
    "eleven fields": {"type": "section", "fields": [mrk()] * 11},
    "field too long": {"type": "section", "fields": [mrk("f" * 2001)]},
    "eleven context elements": {"type": "context", "elements": [mrk()] * 11},
    "no context elements": {"type": "context", "elements": []},
    "context button": {"type": "context", "elements": [button()]},
    "button mrkdwn": actions(button(text=mrk())),
    "button text too long": actions(button(text=plain("b" * 76))),
    "url too long": actions(button(url="u" * 3001)),
    "action_id too long": actions(button(action_id="a" * 256)),
    "action_id twice": actions(button(), button()),
    "style": actions(button(style="loud")),
    "26 buttons": actions(*(button(action_id=str(i)) for i in range(26))),
    "block_id too long": section(block_id="b" * 256),
    "unknown block": {"type": "marquee"},
    "no type": {},
    "not a block": "x",
    "unknown property": section(colour="red"),
    "text is a string": section(text="x"),
    "emoji on mrkdwn": section(text={**mrk(), "emoji": True}),
    "emoji is a string": {"type": "header", "text": {**plain(), "emoji": "yes"}},
    "value too long": actions(button(value="v" * 2001)),
    "label too long": actions(button(accessibility_label="l" * 76)),
    "alt text too long": section(accessory=image("a" * 2001)),
    "no alt text": section(accessory=image("")),
    "confirm title too long": confirming(title=plain("t" * 101)),
    "confirm text too long": confirming(text=plain("t" * 301)),
    "confirm text mrkdwn": confirming(text=mrk()),
    "confirm button too long": confirming(confirm=plain("t" * 31)),
    "deny button too long": confirming(deny=plain("t" * 31)),
    "confirm style": confirming(style="loud"),
    "confirm of nothing": actions(button(confirm={})),
    "unknown element": actions({"type": "datepicker"}),
}


def test_everything_at_its_limit_is_accepted():
    assert blocks.problems(GOOD) == []
    assert blocks.problems([{"type": "divider"}] * 50) == []


@pytest.mark.parametrize("name", BAD)
def test_one_more_is_refused(name):
    assert blocks.problems([BAD[name]])


def test_too_many_blocks_and_a_repeated_block_id():
    assert blocks.problems([{"type": "divider"}] * 51)
    assert "unique" in blocks.problems([section(block_id="b"), section(block_id="b")])[0]
    assert blocks.problems({"type": "divider"}) == ["blocks: must be a list"]


def test_blocks_that_are_too_long_together_are_refused_with_their_own_word():
    space = Workspace(channel="deploys", clock=lambda: NOW, monotonic=lambda: 0.0)
    long = section(text=mrk("t" * 3000))
    posted = space.post({"channel": "deploys", "blocks": [long] * 4}, author="bot")

    for call, given in ((space.post, {}), (space.update, {"ts": posted.ts})):
        with pytest.raises(SlackError, match="msg_blocks_too_long"):
            call({"channel": CHANNEL_ID, "blocks": [long] * 5, **given}, author="bot")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*bold* _it_ ~no~", "<strong>bold</strong> <em>it</em> <s>no</s>"),
        ("a_snake_case 2*3*4", "a_snake_case 2*3*4"),
        ("`x < y`", "<code>x &lt; y</code>"),
        ("```\na *b*\n```", "<pre>a *b*</pre>"),
        (
            "<https://x.y/z?a=1&amp;b|*docs*>",
            '<a href="https://x.y/z?a=1&amp;b" rel="noreferrer">*docs*</a>',
        ),
        ("<!here> hi", '<span class="mention">@here</span> hi'),
        (":white_check_mark: :unknown:", "✅ :unknown:"),
        ("a &amp; b &lt;c&gt;", "a &amp; b &lt;c&gt;"),
        ("&gt; quoted\nafter", "<blockquote>quoted</blockquote>after"),
        (
            "*<https://x.y|link>*",
            '<strong><a href="https://x.y" rel="noreferrer">link</a></strong>',
        ),
    ],
)
def test_mrkdwn(text, expected):
    assert mrkdwn.render(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<javascript:alert(1)|click> <https://x" onclick="alert(1)|x>',
        "*<b>* `<b>` ```<b>``` \ue0000\ue001",
        '<https://`" onclick=`|x>',
    ],
)
def test_nothing_of_a_message_becomes_markup_of_its_own(text):
    for rendered in (mrkdwn.render(text), mrkdwn.plain(text)):
        for danger in ("<script", "<img", "<b>", 'href="javascript', '" onclick'):
            assert danger not in rendered
    assert "\ue000" not in mrkdwn.render(text)


def test_the_page_shows_threads_edits_and_times_and_can_stand_alone():
    space = Workspace(channel="deploys", clock=lambda: NOW, monotonic=lambda: 0.0)
    parent = space.post(
        {"channel": "#deploys", "text": "t", "blocks": [GOOD[0], section(text=mrk("*now*"))]},
        author="bot",
    )
    space.post({"channel": CHANNEL_ID, "text": "a reply", "thread_ts": parent.ts}, author="bot")
    space.update({"channel": CHANNEL_ID, "ts": parent.ts, "text": "t2"}, author="bot")
    text = page.render(space, live=False)
    for part in ("# deploys", "1 reply", "a reply", "(edited)", "12:00:00 UTC", "<strong>now<"):
        assert part in text
    assert "<script" not in text
    assert "http" not in text
    assert "<script" in page.render(space, live=True)


def test_the_rate_limit_says_when_to_come_back():
    now = [0.0]
    space = Workspace(
        channel="deploys",
        clock=lambda: NOW,
        monotonic=lambda: now[0],
        rate_limit=RateLimit(posts=2, per_seconds=10),
    )
    for _ in range(2):
        space.post({"channel": "deploys", "text": "x"}, author="bot")
    now[0] = 4.5
    with pytest.raises(RateLimitedError) as limited:
        space.post({"channel": "deploys", "text": "x"}, author="bot")
    assert limited.value.retry_after_seconds == 6
    now[0] = 10.0
    space.post({"channel": "deploys", "text": "x"}, author="bot")
