"""Secrets in text that nobody here wrote: told apart by their shape, and taken out.

A description, a reason or a name may hold one, because somebody pasted it there. It is taken out
where text leaves for good: in a log line, in a text of a row, in Slack, in a parked message's
detail. In a row a name stays: by another it would be something else. What has no shape of its own,
such as a bare signing secret, cannot be known here; it is never put into a text in the first place.
"""

import re

REDACTED = "[redacted]"
# What a secret's text may be made of. A quotation mark or a backslash ends it, so that JSON stays
# JSON.
VALUE = r"""[^\s"'\\,;&{}<>|]"""
QUOTE = r"""\\*["']"""
# Where a word begins; also after a character that was written as its number, as in \x7f.
BEGIN = (
    r"(?:(?<![^\W_])|(?<=\\x[0-9a-f][0-9a-f])|(?<=\\u[0-9a-f]{4})|(?<=\\U[0-9a-f]{8})"
    r"|(?<=\\[nrtabfv0]))"
)
# How Slack's tokens begin. Within a word only a long one is taken for one: there are names such as
# boxapp-2.
SLACK = r"x(?:ox[a-z]|app)(?:\.xox[a-z])?"
WORDS = ("secret", "passw", "pwd", "token", "signature", "credential", "key")
NAME = (
    r"(?:secret|passwo?r?d?|pwd|token|signature|credential|(?:api|access|private)[_-]?key)"
    r"[\w.-]{0,40}"
)
# Each shape, after the small letters without which a text holds none of it; its first group stays.
# Sources: Slack, "Token types" and "Sending messages using incoming webhooks"; IAM user guide,
# "Unique identifiers"; RFC 6750 (bearer) and 7617 (basic); RFC 3986, section 3.2.1 (user
# information); GitHub, "About authentication"; RFC 7519 (JWT).
SHAPES = (
    # First of all, and what is quoted first: what another shape takes out may hold the name.
    (WORDS, rf"({NAME}\s*=\s*{QUOTE}){VALUE}{{6,}}"),
    (WORDS, rf"({NAME}\s*=\s*){VALUE}{{6,}}"),
    (WORDS, rf"({NAME}{QUOTE}\s*:\s*{QUOTE}){VALUE}{{6,}}"),
    (("hooks.slack",), rf"()hooks\.slack(?:-gov)?\.com/{VALUE}+"),
    (
        ("xox", "xapp-"),
        rf"()(?:{BEGIN}{SLACK}-(?=[\w-]*\d)[\w-]{{4,}}|{SLACK}-\d[\w-]{{16,}})",
    ),
    (("akia", "asia"), r"()(?-i:(?:AKIA|ASIA)[A-Z0-9]{8,})"),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        rf"()(?:{BEGIN}gh[a-z]_\w{{4,}}|gh[a-z]_[a-z0-9]{{16,}})",
    ),
    (("github_pat_",), rf"(){BEGIN}github_pat_\w{{4,}}"),
    (("bearer", "basic"), rf"({BEGIN}(?:bearer|basic)\s+)(?=\S*[\d._~+/=-]){VALUE}{{8,}}"),
    (("eyj",), rf"(){BEGIN}eyJ[\w-]{{8,}}(?:\.[\w-]*)*"),
    # Cut short before its @, it is told from a port.
    (("://",), rf"(://[^\s/:@]{{0,80}}:)(?:{VALUE}{{1,200}}(?=@)|(?![\d/]){VALUE}{{1,200}})"),
    (
        ("private key",),
        r"()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*-----)?",
    ),
)


def redacted(text: str) -> str:
    r"""The text with `[redacted]` in place of each secret that has a shape.

    Of an assignment the name stays: `token=[redacted]`. JSON stays JSON, also inside of a string.
    """
    small = text.lower()
    for hints, shape in SHAPES:
        if any(hint in small for hint in hints):
            # Compiled when it is first needed: no cold start waits for that.
            text = re.sub(shape, rf"\g<1>{REDACTED}", text, flags=re.IGNORECASE)
    return text
