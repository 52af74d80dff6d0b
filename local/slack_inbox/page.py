"""The channel as people would see it in Slack: one self-contained page, nothing loaded."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

from local.slack_inbox import mrkdwn
from local.slack_inbox.workspace import Message, Shared, Workspace

_STYLE = """
:root { color-scheme: light; --ink: #1d1c1d; --soft: #616061; --line: #e2e2e2; --blue: #1264a3; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f2f5; color: var(--ink);
  font: 15px/1.47 Lato, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 780px; min-height: 100vh; margin: 0 auto; background: #fff;
  border-left: 1px solid var(--line); border-right: 1px solid var(--line); }
h1 { position: sticky; top: 0; z-index: 1; margin: 0; padding: 14px 20px; font-size: 18px;
  background: #fff; border-bottom: 1px solid var(--line); }
h1 small { margin-left: 8px; color: var(--soft); font-size: 12px; font-weight: 400; }
.message { display: flex; gap: 10px; padding: 10px 20px; }
.face { flex: none; width: 36px; height: 36px; border-radius: 8px; background: #4a154b;
  color: #fff; font-size: 19px; line-height: 36px; text-align: center; }
.body { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.who { font-weight: 700; }
.app { margin: 0 4px; padding: 0 4px; border-radius: 3px; background: #ececec; color: var(--soft);
  font-size: 10px; font-weight: 700; vertical-align: 2px; }
time, .edited { color: var(--soft); font-size: 12px; }
.thread { margin: 0 20px 10px 66px; border-left: 3px solid var(--line); }
.thread .message { padding: 6px 0 6px 12px; }
.thread .face { width: 24px; height: 24px; border-radius: 5px; font-size: 13px; line-height: 24px; }
.count { padding: 2px 12px; color: var(--blue); font-size: 13px; font-weight: 700; }
.header { margin: 4px 0; font-size: 18px; font-weight: 900; line-height: 1.3; }
.section { margin: 4px 0; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 8px 0; }
.context { margin: 4px 0; color: var(--soft); font-size: 13px; }
.context span + span { margin-left: 10px; }
hr { margin: 10px 0; border: 0; border-top: 1px solid var(--line); }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0; }
.button { padding: 4px 12px; border: 1px solid #bbb; border-radius: 4px; background: #fff;
  cursor: pointer; font-family: inherit;
  color: var(--ink); font-size: 14px; font-weight: 700; text-decoration: none; }
.button:disabled { opacity: .5; cursor: default; }
.button.primary { border-color: #007a5a; background: #007a5a; color: #fff; }
.button.danger { border-color: #e01e5a; background: #e01e5a; color: #fff; }
a { color: var(--blue); text-decoration: none; }
a:hover { text-decoration: underline; }
code { padding: 1px 4px; border: 1px solid var(--line); border-radius: 3px; background: #f7f7f8;
  color: #c01343; font-size: 13px; }
pre { margin: 6px 0; padding: 8px; border: 1px solid var(--line); border-radius: 4px;
  background: #f7f7f8; font-size: 13px; white-space: pre-wrap; }
blockquote { margin: 4px 0; padding-left: 12px; border-left: 4px solid #ddd; }
.mention { padding: 0 2px; border-radius: 3px; background: #fff3c4; color: #8a6100; }
.file { margin: 6px 0; }
.file figcaption { color: var(--soft); font-size: 13px; }
.file img { display: block; width: 100%; max-width: 560px; margin-top: 4px;
  border: 1px solid var(--line); border-radius: 8px; }
h2 { margin: 0; padding: 20px 20px 4px; border-top: 1px solid var(--line); font-size: 22px; }
.about { margin: 0; padding: 12px 20px; color: var(--soft); font-size: 13px; }
.about b { color: var(--ink); }
.empty { padding: 40px 20px; color: var(--soft); text-align: center; }
@media (max-width: 520px) { .message { padding: 10px 12px; } .thread { margin: 0 12px 10px 30px; }
  .fields { grid-template-columns: 1fr; } h1 { padding: 12px; } }
"""
_REFRESH = """
<script>
let shown = "";
async function refresh() {
  try {
    const text = await (await fetch("/fragment")).text();
    if (text !== shown) { document.getElementById("channel").innerHTML = text; shown = text; }
  } catch { document.title = "ended"; return; }
  setTimeout(refresh, 500);
}
refresh();
document.addEventListener("click", async event => {
  const button = event.target.closest("button[data-action]");
  if (!button || (button.dataset.confirm && !confirm(button.dataset.confirm))) return;
  button.disabled = true;
  const answer = await fetch("/press", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ts: button.dataset.ts, action_id: button.dataset.action }),
  });
  const result = await answer.json();
  if (!result.ok) { button.disabled = false; alert(result.error); }
});
</script>
"""


def render(workspace: Workspace, *, live: bool) -> str:
    """Return the whole page; ``live`` adds the script that follows the channel."""
    name = html.escape(workspace.channel)
    heading = f"# {name}<small>local Slack inbox</small>"
    body = f'<div id="channel">{channel(workspace)}</div>'
    return document(f"#{name}", heading, body, script=_REFRESH if live else "")


def document(title: str, heading: str, body: str, *, script: str = "") -> str:
    """Return a page that looks like Slack; all four are HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{heading}</h1>{body}</main>{script}</body></html>"
    )


def channel(workspace: Workspace) -> str:
    """Return the messages, each with its thread under it."""
    messages = workspace.messages()
    return threads(messages) or '<p class="empty">Nothing has been posted yet.</p>'


def threads(messages: Sequence[Message]) -> str:
    """Return some of a channel's messages, each with its thread under it."""
    parts = []
    for parent in (message for message in messages if message.thread_ts is None):
        parts.append(_message(parent))
        replies = [message for message in messages if message.thread_ts == parent.ts]
        if replies:
            noun = "reply" if len(replies) == 1 else "replies"
            parts.append(f'<div class="thread"><div class="count">{len(replies)} {noun}</div>')
            parts += [_message(reply) for reply in replies]
            parts.append("</div>")
    return "".join(parts)


def _message(message: Message) -> str:
    blocks = "".join(_block(block, message.ts) for block in message.blocks)
    content = blocks or f'<div class="section">{mrkdwn.render(message.text)}</div>'
    content += "".join(_file(file) for file in message.files)
    edited = ' <span class="edited">(edited)</span>' if message.edited_at else ""
    return (
        '<article class="message"><div class="face">↩</div><div class="body">'
        f'<span class="who">Rollback</span><span class="app">APP</span>'
        f'<time datetime="{message.posted_at.isoformat()}">{message.posted_at:%H:%M:%S} UTC</time>'
        f"{edited}{content}</div></article>"
    )


def _file(file: Shared) -> str:
    """A picture is part of the page, so that a saved one needs no server."""
    title = html.escape(file.title)
    if not file.is_picture:
        return f'<div class="file">{title}</div>'
    data = base64.b64encode(file.content).decode()
    alt = html.escape(file.alt)
    return (
        f'<figure class="file"><figcaption>{title}</figcaption>'
        f'<img src="data:image/png;base64,{data}" alt="{alt}"></figure>'
    )


def _block(block: Mapping[str, Any], ts: str) -> str:
    match block["type"]:
        case "header":
            return f'<div class="header">{_text(block["text"])}</div>'
        case "divider":
            return "<hr>"
        case "context":
            parts = "".join(f"<span>{_context(one)}</span>" for one in block["elements"])
            return f'<div class="context">{parts}</div>'
        case "actions":
            buttons = "".join(_button(one, ts) for one in block["elements"])
            return f'<div class="actions">{buttons}</div>'
        case "section":
            return _section(block, ts)
    raise ValueError(f"a block that was never accepted: {block['type']}")


def _section(block: Mapping[str, Any], ts: str) -> str:
    text = f'<div class="section">{_text(block["text"])}</div>' if "text" in block else ""
    fields = "".join(f"<div>{_text(one)}</div>" for one in block.get("fields", ()))
    accessory = block.get("accessory", {})
    button = _button(accessory, ts) if accessory.get("type") == "button" else ""
    return (
        text
        + (f'<div class="fields">{fields}</div>' if fields else "")
        + (f'<div class="actions">{button}</div>' if button else "")
    )


def _text(value: Mapping[str, Any]) -> str:
    make = mrkdwn.render if value["type"] == "mrkdwn" else mrkdwn.plain
    return make(value["text"])


def _context(element: Mapping[str, Any]) -> str:
    # Images would have to be loaded; their alternative text says the same.
    return html.escape(element["alt_text"]) if element["type"] == "image" else _text(element)


def _button(button: Mapping[str, Any], ts: str) -> str:
    style = f"button {button.get('style', '')}".strip()
    label = mrkdwn.plain(button["text"]["text"])
    url = button.get("url", "")
    if url.startswith(("https://", "http://")):
        return f'<a class="{style}" href="{html.escape(url)}" rel="noreferrer">{label}</a>'
    action = html.escape(button.get("action_id", ""))
    question = html.escape(button.get("confirm", {}).get("text", {}).get("text", ""))
    return (
        f'<button type="button" class="{style}" data-ts="{ts}" data-action="{action}"'
        f' data-confirm="{question}">{label}</button>'
    )
