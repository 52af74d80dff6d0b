"""The pure parsers, led by coverage: `make guided`, or `python -m tests.fuzz.guided SECONDS`.

atheris hands over bytes that reach new branches; what is read from them must come back as a value
or as an error of ours. It begins with the examples of `tests/events` and `tests/policies` and with
the corpus, and keeps what reached something new in `.cache/fuzz`.
"""

import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [str(ROOT / "functions")]

with atheris.instrument_imports(include=["rollback_responder"]):
    from rollback_responder import presses, signals
    from rollback_responder.domain.errors import PressRefused, RollbackError, SignalError
    from rollback_responder.domain.policy import parse_policy
    from rollback_responder.domain.redaction import redacted
    from rollback_responder.journal import codec
    from rollback_responder.notifiers import slack

SEEDS = ROOT / ".cache" / "fuzz"
LARGEST = 4096
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DECODERS = (codec.decode_incident, codec.decode_ledgers, codec.decode_controls, codec.decode_said)


def read_one(data):
    """One input to one parser, by its first byte; any other error than ours ends the run."""
    if not data:
        return
    text = data[1:].decode(errors="surrogateescape")
    try:
        PARSERS[data[0] % len(PARSERS)](text)
    except (RollbackError, SignalError, PressRefused):
        return


def _policy(text):
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    policy = parse_policy(document)
    assert parse_policy(policy.to_document()) == policy


def _press(text):
    press = presses._read(presses._payload(text), "nonce")
    presses.order_of(press, NOW)


def _row(text):
    for decode in DECODERS:
        try:
            decode(text)
        except RollbackError:
            continue


def _escaped(text):
    marked = slack._escaped(text)
    assert "<" not in marked
    assert ">" not in marked
    assert redacted(redacted(text)) == redacted(text)


PARSERS = (signals.read, _policy, _press, _row, _escaped)


def seeds():
    """The examples and the corpus as files, each with the byte of its parser before it."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-seeds-"))
    found = [(0, path) for path in (ROOT / "tests" / "events").glob("*/*.json")]
    found += [(1, path) for path in (ROOT / "tests" / "policies").glob("*/*.json")]
    for number, (parser, path) in enumerate(found):
        text = path.read_text()
        if parser == 0:
            text = json.dumps(json.loads(text)["message"])
        (folder / str(number)).write_bytes(bytes([parser]) + text.encode())
    for number, path in enumerate((FOLDER / "corpus" / "rows").glob("*.json"), len(found)):
        item = json.loads(path.read_text())["case"]["item"]
        text = item.get("incident", {}).get("S", "{}")
        (folder / str(number)).write_bytes(bytes([3]) + text.encode())
    return folder


def main(arguments):
    """Runs for some seconds; libFuzzer ends the process, with what it found in its output."""
    seconds = arguments[0] if arguments else "60"
    SEEDS.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-rss_limit_mb=1024"]
    options += ["-timeout=10", f"-artifact_prefix={SEEDS}{os.sep}found-", str(SEEDS), str(seeds())]
    atheris.Setup([sys.argv[0], *options], read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
