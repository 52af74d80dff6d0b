"""Where an alias stood, worked out from who served each minute."""

from datetime import timedelta

import pytest

from rollback_responder.cli.history import Stay
from rollback_responder.cli.releases import JUST_AFTER, known_stays, stays_of
from rollback_responder.domain.release import Release
from tests.builders import MINUTE, NOW, TARGET, a_ledger, a_release, a_rolled_back_incident


def served(**minutes):
    """Which minutes each version served: `v1="11100"` is the first three."""
    return {
        name.removeprefix("v"): {
            NOW + number * MINUTE: float(mark) for number, mark in enumerate(text) if mark != " "
        }
        for name, text in minutes.items()
    }


def stood(minutes, known=(), published=None):
    found = stays_of(served(**minutes), published or {}, known, NOW)
    return [((stay.from_at - NOW) // MINUTE, stay.primary, stay.other) for stay in found]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ({"v1": "9999"}, [(0, "1", None)]),
        # At once, between two minutes or within one: the newer one has the minute of the change.
        ({"v1": "99  ", "v2": "  99"}, [(0, "1", None), (2, "2", None)]),
        ({"v1": "994 ", "v2": "  59"}, [(0, "1", None), (2, "2", None)]),
        # Shared for more than a minute.
        ({"v1": "9988 ", "v2": "  119"}, [(0, "1", None), (2, "1", "2"), (3, "2", None)]),
        # A canary that went back.
        ({"v1": "98899", "v2": " 11  "}, [(0, "1", None), (1, "1", "2"), (2, "1", None)]),
        # Back and forth; the same version again is another stay.
        ({"v1": "9 9", "v2": " 9 "}, [(0, "1", None), (1, "2", None), (2, "1", None)]),
        # Nobody served for a while: nothing is known to have changed.
        ({"v1": "9  9"}, [(0, "1", None)]),
        # Versions are numbers, not words.
        ({"v9": "9 ", "v10": " 9"}, [(0, "9", None), (1, "10", None)]),
        # A datapoint of nought is nobody.
        ({"v1": "999", "v2": "000"}, [(0, "1", None)]),
        ({}, []),
    ],
)
def test_who_served_says_where_it_stood(minutes, expected):
    assert stood(minutes) == expected


def test_a_change_is_seen_by_the_round_after_its_minute_and_by_none_before():
    _, after = stays_of(served(v1="99  ", v2="  99"), {}, [], NOW)

    assert after.from_at == NOW + 2 * MINUTE + JUST_AFTER
    assert timedelta(0) < JUST_AFTER < MINUTE


def test_where_nobody_served_the_journal_knows():
    known = [Stay(from_at=NOW + 2 * MINUTE, primary="2", by="journal")]

    assert stood({"v1": "99      99"}, known) == [(0, "1", None), (2, "2", None)]


def test_what_the_traffic_shows_is_not_told_twice():
    known = [Stay(from_at=NOW + 3 * MINUTE, primary="2", by="journal")]

    assert stood({"v1": "99  ", "v2": "  99"}, known) == [(0, "1", None), (2, "2", None)]


def test_publication_is_only_a_guess_where_there_is_nothing_else():
    published = {"1": NOW - MINUTE, "2": NOW + 5 * MINUTE}

    assert stood({"v1": "99"}, published=published) == [(0, "1", None)]
    assert stood({}, published=published) == [(0, "2", None)]


def test_the_journal_knows_the_live_release_and_where_rollbacks_led():
    incident = a_rolled_back_incident()
    back = Release(version="1", since_at=NOW, origin=a_release().origin)
    found = known_stays(TARGET, a_ledger(current=back), [incident])

    assert [(stay.primary, stay.by) for stay in found] == [
        ("2", "journal"),
        ("1", "journal"),
        ("1", "journal"),
    ]
