"""Slack's mrkdwn as HTML. Every character of a message is escaped before it is marked up.

Source: Slack's "Formatting text for app surfaces": ``*bold*``, ``_italic_``, ``~strike~``, code,
fences, ``<url|text>``, ``<!here>``, quotes; ``&``, ``<`` and ``>`` arrive as HTML entities.
"""

import html
import re
from collections.abc import Callable

EMOJI = {
    "arrow_forward": "▶️",
    "ballot_box_with_check": "☑️",
    "bar_chart": "📊",
    "bell": "🔔",
    "black_circle": "⚫",
    "bug": "🐛",
    "calendar": "📆",
    "chart_with_downwards_trend": "📉",
    "chart_with_upwards_trend": "📈",
    "eyes": "👀",
    "fire": "🔥",
    "grey_question": "❔",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "\u2139\ufe0f",
    "large_blue_circle": "🔵",
    "large_green_circle": "🟢",
    "large_orange_circle": "🟠",
    "large_yellow_circle": "🟡",
    "leftwards_arrow_with_hook": "↩️",
    "lock": "🔒",
    "mag": "🔍",
    "memo": "📝",
    "mute": "🔇",
    "no_bell": "🔕",
    "no_entry": "⛔",
    "no_entry_sign": "🚫",
    "octagonal_sign": "🛑",
    "pause_button": "⏸️",
    "double_vertical_bar": "⏸️",
    "question": "❓",
    "raised_hand": "✋",
    "red_circle": "🔴",
    "repeat": "🔁",
    "rewind": "⏪",
    "robot_face": "🤖",
    "rocket": "🚀",
    "rotating_light": "🚨",
    "shield": "🛡️",
    "snowflake": "❄️",
    "speech_balloon": "💬",
    "stopwatch": "⏱️",
    "tada": "🎉",
    "test_tube": "🧪",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "white_circle": "⚪",
    "wrench": "🔧",
    "x": "❌",
    "zap": "⚡",
}

# Private-use characters stand for finished pieces of HTML, so that no markup is applied inside.
_OPEN, _CLOSE = "\ue000", "\ue001"
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_ANGLE = re.compile(r"<([^<>\n]+)>")
_KEPT = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_EMOJI = re.compile(r":([a-z0-9_+-]+):")


def _style(sign: str) -> "re.Pattern[str]":
    # Around words only: the inside begins and ends with neither a blank nor the sign itself.
    edge = rf"[^\s{sign}]"
    return re.compile(rf"(?<![\w{sign}]){sign}({edge}|{edge}[^\n]*?{edge}){sign}(?![\w{sign}])")


_STYLES = ((_style(r"\*"), "strong"), (_style("_"), "em"), (_style("~"), "s"))
_QUOTE = re.compile(r"^&gt; ?(.*)$", re.MULTILINE)
_SCHEMES = ("https://", "http://", "mailto:")


def render(text: str) -> str:
    """Return a mrkdwn text as safe HTML."""
    kept: list[str] = []

    def keep(piece: str) -> str:
        kept.append(piece)
        return f"{_OPEN}{len(kept) - 1}{_CLOSE}"

    def keeping(make: Callable[[str], str]) -> Callable[["re.Match[str]"], str]:
        return lambda found: keep(make(found[1]))

    text = text.replace(_OPEN, "").replace(_CLOSE, "")
    text = _FENCE.sub(keeping(lambda code: f"<pre>{escape(code)}</pre>"), text)
    text = _CODE.sub(keeping(lambda code: f"<code>{escape(code)}</code>"), text)
    text = _ANGLE.sub(keeping(_angle), text)
    text = escape(text)
    for pattern, tag in _STYLES:
        text = pattern.sub(rf"<{tag}>\1</{tag}>", text)
    text = _QUOTE.sub(r"<blockquote>\1</blockquote>", _emoji(text))
    text = text.replace("\n", "<br>").replace("</blockquote><br>", "</blockquote>")
    # A kept piece may hold another one: code in a link's text.
    while _KEPT.search(text):
        text = _KEPT.sub(lambda found: kept[int(found[1])], text)
    return text


def plain(text: str) -> str:
    """Return a plain_text as safe HTML: emoji, but no markup."""
    return _emoji(html.escape(text)).replace("\n", "<br>")


def escape(text: str) -> str:
    """Escape a text of which Slack's three entities are already escaped."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return html.escape(text)


def _emoji(text: str) -> str:
    return _EMOJI.sub(lambda found: EMOJI.get(found[1], found[0]), text)


def _angle(inside: str) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("!date^"):
        return f"<span>{escape(label or target)}</span>"
    if target.startswith(("!", "@", "#")):
        shown = label or target.lstrip("!@#")
        sign = "#" if target.startswith("#") else "@"
        return f'<span class="mention">{sign}{escape(shown.lstrip("@#"))}</span>'
    if target.startswith(_SCHEMES):
        return f'<a href="{escape(target)}" rel="noreferrer">{escape(label or target)}</a>'
    return escape(f"<{inside}>")
