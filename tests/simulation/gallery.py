"""Each message that real incidents come to, told into the local Slack: `make gallery`.

The simulation's histories are played from seed 0 on. For the reasons that they do not meet, the
stories of `tests/functional` are. Of every state and reason the first incident that stood there
is told as it went, by the real notifier, into the local Slack, which refuses what Slack
refuses; once for each way back, where one was gone. Drills have stories of their own. The page
shows them all, by state, and then what is told of more than one incident (`bulletins.py`).
"""

import argparse
import html
import logging
import os
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from scenarios import SCENARIOS

import house
from local.slack_inbox import mrkdwn, page
from local.slack_inbox.server import SlackInbox
from rollback_responder.domain.incident import Incident, State
from rollback_responder.domain.policy import Slack
from rollback_responder.domain.reason import Reason
from rollback_responder.journal.memory import MemoryJournal, MemoryNotices, MemoryStorms
from rollback_responder.notifiers.picture import png_of
from rollback_responder.notifiers.slack import SlackSecret, open_slack
from rollback_responder.notifiers.telling import Teller
from tests.conftest import CREDENTIALS
from tests.simulation import bulletins
from tests.simulation.simulated import ACCOUNT, LEASE, REGION, decode_incident
from tests.simulation.soak import RATES
from tests.simulation.story import Story

PAGE = Path(__file__).resolve().parents[2] / "build" / "slack-gallery.html"
HISTORIES = 2000
# Undecided incidents are judged again for this long and a little more, then they are over.
AFTER_MINUTES = 20
SOMEBODY = "U012AB3CD"
POLICY = Slack(channel="#deploys", approvers=(SOMEBODY,))
BEGUN = {
    Reason.METRIC_BREACHING,
    Reason.ALARM_TRUSTED,
    Reason.APPROVED,
    Reason.ORDERED,
    Reason.FOUND_DONE,
    Reason.ROLLBACK_ADOPTED,
}
ASKED = {
    Reason.RELEASE_PROVED,
    Reason.BEGAN_TOO_LATE,
    Reason.SEVERITY_ASKS,
    Reason.APPROVAL_NEEDED,
    Reason.FROZEN,
}
# Where an incident stands, and the reasons that may have brought it there.
STANDS = {
    State.ASKING: ASKED,
    State.ROLLING_BACK: BEGUN
    | {
        Reason.LEG_BACK,
        Reason.LEG_FAILED,
        Reason.NEXT_LEG,
        Reason.ROLLBACK_STUCK,
        Reason.ROLLBACK_CONTINUED,
        Reason.ROLLBACK_OVERDUE,
    },
    State.WATCHING: BEGUN | {Reason.ALL_BACK},
    State.FIXED: {Reason.SYMPTOM_GONE},
    State.NOT_FIXED: {Reason.SYMPTOM_REMAINS},
    State.UNKNOWN: {
        Reason.NOT_ENOUGH_DATA,
        Reason.MOVED_AGAIN,
        Reason.WRONG_VERSION,
        Reason.UNDO_FAILED,
    },
    State.INCOMPLETE: {Reason.ROLLBACK_INCOMPLETE, Reason.FINISHED_ANYWAY},
    State.INDETERMINATE: {Reason.RESULT_UNKNOWN, Reason.ACTION_UNCLEAR},
    State.UNDOING: {Reason.UNDO_ORDERED},
    State.UNDONE: {Reason.UNDONE},
}
# Everything else is why nothing was done, for now or for good.
NOTHING_DONE = (set(Reason) - set().union(*STANDS.values())) | {Reason.ACTION_UNCLEAR}
STANDS |= {State.UNDECIDED: NOTHING_DONE, State.STOOD_DOWN: NOTHING_DONE | {Reason.NOT_APPROVED}}
POSSIBLE = [(state, reason) for state in State for reason in Reason if reason in STANDS[state]]


class Place(NamedTuple):
    """Where an incident stands, why, and which way it was gone back, if it was."""

    state: State
    reason: Reason
    way: str


class Moment(NamedTuple):
    """An incident that came to stand somewhere, as the journal had it after each of its writes."""

    source: str
    incidents: tuple[Incident, ...]


# -- what is met ----------------------------------------------------------------------------------


def moments_of(histories, *, minutes=0):
    """The first moment of each place where an incident came to stand.

    Stories of what is judged again go on for some `minutes`.
    """
    met = {}
    for number in range(histories):
        seed, rate = divmod(number, len(RATES) + 1)
        _meet(met, f"simulation, seed {seed}, faults {(0.0, *RATES)[rate]}", _play(seed, rate))
    for reason, scenario in SCENARIOS.items():
        if (scenario.state, reason) not in pairs_of(met):
            _meet(met, f"story of {reason.value}", _tell(scenario, minutes))
    for name, story in bulletins.DRILLS.items():
        _meet(met, f"story of {name}", recorded(story))
    return {place: met[place] for place in sorted(met, key=_order)}


def pairs_of(places):
    """The places without the way back."""
    return {(place.state, place.reason) for place in places}


def _order(place):
    return list(State).index(place.state), list(Reason).index(place.reason), place.way


def _meet(met, source, written):
    """Notes where the incidents of one history came to stand, if nobody stood there before."""
    by_id = {}
    for incident in written:
        by_id.setdefault(incident.id, []).append(incident)
    for incidents in by_id.values():
        for count, incident in enumerate(incidents, start=1):
            place = Place(incident.state, incident.reason, _way(incident))
            met.setdefault(place, Moment(source, tuple(incidents[:count])))


def _way(incident):
    if incident.acted_at is None:
        return "drill" if incident.drill else ""
    ways = {f"{leg.how.value} {leg.target.kind}" for leg in incident.legs}
    several = " of several" if len(incident.legs) > 1 else ""
    drill = "drill, " if incident.drill else ""
    return f"{drill}{', '.join(sorted(ways))}{several}"


class _Stream(list):
    """The journal's stream, which remembers what was told from it."""

    def __init__(self):
        super().__init__()
        self.written = []

    def append(self, text):
        self.written.append(decode_incident(text))
        super().append(text)


def _play(seed, rate):
    story = Story(seed, (0.0, *RATES)[rate])
    story.house.stream = stream = _Stream()
    story.play()
    return stream.written


def _tell(scenario, minutes):
    def story():
        told = scenario.story()
        if scenario.state is State.UNDECIDED:
            told.ops.pass_minutes(minutes)

    return recorded(story)


def recorded(story):
    """Every incident that a story of the functional house writes, in order."""
    written = []

    class Journal(MemoryJournal):
        def keep(self, claim, *, ledgers, incident):
            super().keep(claim, ledgers=ledgers, incident=incident)
            written.extend([incident] if incident else [])

        def close(self, claim, *, ledgers, incident):
            super().close(claim, ledgers=ledgers, incident=incident)
            written.extend([incident] if incident else [])

    with mock.patch.object(house, "MemoryJournal", Journal):
        story()
    return written


# -- how it is told -------------------------------------------------------------------------------


def told_by_slack(moments, *, draw=png_of):
    """The messages of each moment, in the order of the moments: its head, and the thread."""
    now = [house.START]
    with SlackInbox(channel="deploys", clock=lambda: now[0]) as inbox:
        secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)
        for moment in moments:
            before, teller = len(inbox.messages()), teller_of(secret, draw=draw)
            for incident in moment.incidents:
                now[0] = incident.steps[-1].at
                teller.tell(incident, now[0])
            yield inbox.messages()[before:]


def teller_of(secret, *, draw):
    """The real notifier, which has told nothing yet."""
    return Teller(
        open_slack(secret, POLICY),
        MemoryNotices(LEASE),
        MemoryStorms(LEASE),
        account_id=ACCOUNT,
        region=REGION,
        draw=draw,
    )


def told_at_once(*, draw=png_of):
    """Each bulletin: its name, where it is from, and the messages that Slack took."""
    for name, (source, tell) in bulletins.BULLETINS.items():
        with SlackInbox(channel="deploys", clock=lambda: house.START) as inbox:
            secret = SlackSecret(bot_token=inbox.token, api_url=inbox.api_url)
            tell(teller_of(secret, draw=draw))
            yield name, source, inbox.messages()


def page_of(moments, *, draw=png_of):
    """The page, as HTML."""
    parts, shown = [_never_met(moments)], None
    for place, messages in zip(moments, told_by_slack(moments.values(), draw=draw), strict=True):
        if place.state is not shown:
            parts.append(f'<h2 id="{place.state.value}">{place.state.value}</h2>')
            shown = place.state
        parts.append(_about(place, moments[place], messages[0]))
        parts.append(page.threads(messages))
    parts.append('<h2 id="bulletins">more than one incident</h2>')
    for name, source, messages in told_at_once(draw=draw):
        parts.append(_titled(name, f"<b>{name}</b> · {html.escape(source)}", messages[0]))
        parts.append(page.threads(messages))
    heading = f"Slack messages<small>{len(moments)} places where an incident may stand</small>"
    return page.document("Slack messages", heading, "".join(parts))


def _about(place, moment, head):
    where = " · ".join(part for part in (place.state.value, place.reason.value, place.way) if part)
    about = f"<b>{html.escape(where)}</b> · {html.escape(moment.source)}"
    return _titled(f"{place.state.value}-{place.reason.value}", about, head)


def _titled(anchor, about, head):
    notification = f"Notification: {mrkdwn.render(head.text)}"
    return f'<p class="about" id="{anchor}">{about}<br>{notification}</p>'


def _never_met(moments):
    lines = [f"<b>{state}</b>: {', '.join(reasons)}" for state, reasons in never_met(moments)]
    return f'<p class="about">Never met:<br>{"<br>".join(lines) or "none"}</p>'


def never_met(moments):
    """The reasons that no incident came to stand at, by state."""
    met = pairs_of(moments)
    for state in State:
        missing = [r.value for s, r in POSSIBLE if s is state and (s, r) not in met]
        if missing:
            yield state.value, missing


def unforeseen(moments):
    """The pairs of a state and a reason that should not be."""
    return [f"{s.value} {r.value}" for s, r in pairs_of(moments) if r not in STANDS[s]]


def main(arguments):
    """Writes the page; says what was never met."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.gallery", description=__doc__)
    parser.add_argument("--histories", type=int, default=HISTORIES, help=f"default {HISTORIES:,}")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page is written")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    # As in every test: no credentials, and a call of the SDK is tried once.
    os.environ.update(CREDENTIALS)
    moments = moments_of(options.histories, minutes=AFTER_MINUTES)
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(page_of(moments), encoding="utf-8")
    met = len(pairs_of(moments))
    print(f"{met} of {len(POSSIBLE)} pairs of a state and a reason, in {options.page}")
    for state, reasons in never_met(moments):
        print(f"never met: {state}: {', '.join(reasons)}")
    for pair in unforeseen(moments):
        print(f"met and not foreseen: {pair}")
    return 1 if unforeseen(moments) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
