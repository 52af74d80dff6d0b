"""The code broken on purpose, one way after another: what the fuzz says of each, as JSON.

`python -m tests.fuzz.sabotage` prints by the name of each the kinds of violation that were met.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parents[1] / "functions"), str(FOLDER.parent / "functional")]

from rollback_responder import presses, signals
from rollback_responder.handlers import lines
from rollback_responder.journal import codec, dynamodb
from rollback_responder.notifiers import slack
from rollback_responder.responder import Responder
from rollback_responder.signals import sns
from tests.fuzz.player import Player


def as_it_is(text):
    return text


def logging_it(player):
    """The signing secret in a log line: it has no shape by which it could be taken out."""
    interact = player.stage.interact
    read = interact._signing_secret

    def logged():
        interact.tools.logger.info("checking a signature", key=read())
        return read()

    return mock.patch.object(interact, "_signing_secret", logged)


# What is broken, the input that must tell, and how many cases that may take.
BROKEN = {
    "another account's alarm is ours": (
        "envelopes",
        400,
        lambda _: [mock.patch.object(signals, "parse", lambda message, **_: signals.read(message))],
    ),
    "a depth bomb is let through": (
        "envelopes",
        400,
        lambda _: [mock.patch.object(module, "load", json.loads) for module in (signals, sns)],
    ),
    "nothing is answered": (
        "envelopes",
        600,
        lambda _: [mock.patch.object(Responder, "respond", return_value=None)],
    ),
    "no secret is taken out": (
        "envelopes",
        200,
        lambda _: [
            mock.patch.object(module, "redacted", as_it_is) for module in (lines, codec, slack)
        ],
    ),
    "the signing secret is logged": ("presses", 50, lambda player: [logging_it(player)]),
    "every signature is right": (
        "presses",
        50,
        lambda _: [mock.patch.object(presses, "_is_valid", return_value=True)],
    ),
    "mark-up is not escaped": (
        "rows",
        400,
        lambda _: [mock.patch.object(slack, "_escaped", as_it_is)],
    ),
    "a damaged incident is none": (
        "rows",
        400,
        lambda _: [mock.patch.object(dynamodb, "incident_of", return_value=None)],
    ),
}


def main():
    """Breaks one thing after the other; each stays broken only while its cases are played."""
    player, met = Player(), {}
    for name, (played, count, broken) in BROKEN.items():
        with ExitStack() as stack:
            for patch in broken(player):
                stack.enter_context(patch)
            found = [player.play(played, player.make(played, 1, n))[1] for n in range(count)]
        met[name] = sorted({kind for kind, _ in filter(None, found)})
    sys.__stdout__.write(json.dumps(met) + "\n")


if __name__ == "__main__":
    main()
