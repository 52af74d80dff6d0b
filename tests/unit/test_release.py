"""The ledger: what was seen, what proved itself, what was rolled back from, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rollback_responder.domain.release import (
    LONGEST_HISTORY,
    Bad,
    Good,
    Ledger,
    Origin,
    Release,
    acquitted,
    acting,
    believed,
    condemned,
    likely,
    proved,
    put_back,
    rehearsed,
    rolled_back,
    seen,
    seen_rollout,
    settled,
    vanished,
    way_back,
)
from rollback_responder.domain.rollout import Phase
from rollback_responder.journal.codec import decode_ledgers, encode_ledgers
from tests.builders import (
    MINUTE,
    NOW,
    a_good,
    a_ledger,
    a_release,
    a_sight,
    an_observation,
)
from tests.unit.test_decision import ledgers

LATER = NOW + MINUTE


@pytest.mark.parametrize(
    ("primary", "other", "suspect", "rest"),
    [
        ("2", None, "2", None),
        ("1", "2", "2", "1"),
        ("2", "1", "2", "1"),
        ("9", "10", "10", "9"),
        ("$LATEST", None, "$LATEST", None),
        ("$LATEST", "3", "$LATEST", "3"),
        ("3", "$LATEST", "3", "$LATEST"),
    ],
)
def test_the_suspect_is_the_newer_version(primary, other, suspect, rest):
    observation = an_observation(primary, other)

    assert (observation.suspect, observation.rest) == (suspect, rest)


@pytest.mark.parametrize(
    ("before", "after", "origin"),
    [
        (None, "2", Origin.FIRST_SEEN),
        ("1", "2", Origin.DEPLOYED),
        ("9", "10", Origin.DEPLOYED),
        ("2", "1", Origin.ROLLED_BACK),
        ("10", "9", Origin.ROLLED_BACK),
        ("2", "$LATEST", Origin.DEPLOYED),
        ("$LATEST", "2", Origin.DEPLOYED),
    ],
)
def test_another_version_is_another_release(before, after, origin):
    ledger = a_ledger(current=a_release(before) if before else None)
    current = seen(ledger, an_observation(after, revision="r2"), NOW).current

    assert (current.version, current.origin, current.since_at) == (after, origin, NOW)
    assert (current.proven_at, current.code_sha256) == (None, None)


def test_the_same_version_is_the_same_release_under_a_new_revision():
    before = a_ledger(current=a_release(whole_since_at=NOW))
    ledger = seen(before, an_observation(revision="r2"), LATER)

    assert ledger == replace(before, revision="r2")


def test_a_canary_that_becomes_the_only_version_is_the_same_release():
    ledger = a_ledger(current=a_release("1"))
    shifting = seen(ledger, an_observation("1", "2"), NOW)

    whole = seen(shifting, an_observation("2"), LATER)

    assert whole.current.key == shifting.current.key
    assert (shifting.current.whole_since_at, whole.current.whole_since_at) == (None, LATER)


def test_what_somebody_rolled_back_from_has_to_prove_itself_anew():
    ledger = a_ledger(good=(a_good("2"), a_good("1")))

    assert [good.version for good in seen(ledger, an_observation("1"), NOW).good] == ["1"]
    assert [good.version for good in seen(ledger, an_observation("3"), NOW).good] == ["2", "1"]


def test_a_release_that_proved_itself_comes_first_and_is_forgiven():
    bad = Bad(version="2", at=NOW, incident_id="i")
    ledger = proved(a_ledger(bad=(bad,), good=(a_good("1"), a_good("2"))), a_release("2"), LATER)

    assert [good.version for good in ledger.good] == ["2", "1"]
    assert ledger.bad == ()
    assert ledger.current.proven_at == LATER


def test_a_deleted_version_is_no_way_back():
    ledger = vanished(a_ledger(good=(a_good("2"), a_good("1"))), "2")

    assert [good.version for good in ledger.good] == ["1"]


def test_histories_are_bounded():
    ledger = Ledger(current=a_release())
    for version in range(50):
        release = a_release(str(version))
        ledger = acting(proved(ledger, release, NOW), release.key, NOW)
    assert len(ledger.good) == len(ledger.acted) == LONGEST_HISTORY
    for version in range(50):
        ledger = back(ledger, a_release(str(version)))
    assert len(ledger.bad) == LONGEST_HISTORY


def back(ledger, release):
    return rolled_back(
        ledger, release, to_version="1", revision="r9", incident_id="inc-1", now=LATER
    )


def test_a_rollback_condemns_the_version_and_its_code():
    release = a_release("2", code_sha256="bad code")
    ledger = back(a_ledger(current=release, good=(a_good("2"), a_good("1"))), release)

    assert (ledger.current.version, ledger.current.origin) == ("1", Origin.ROLLED_BACK)
    assert ledger.revision == "r9"
    assert [good.version for good in ledger.good] == ["1"]
    assert [(b.version, b.code_sha256, b.incident_id) for b in ledger.bad] == [
        ("2", "bad code", "inc-1")
    ]


def test_a_release_that_something_else_rolled_back_is_condemned_where_the_pointer_is_left_alone():
    release = a_release("2", code_sha256="bad code")
    before = a_ledger(current=a_release("1"), good=(a_good("2"), a_good("1")))
    ledger = condemned(before, release, incident_id="inc-1", now=LATER)

    assert (ledger.current, ledger.revision) == (before.current, before.revision)
    assert ledger.bad == back(before, release).bad
    assert ledger.good == back(before, release).good


def test_a_rollout_is_known_again_until_somebody_touches_it():
    ledger = seen_rollout(Ledger(acted=("d-0",)), a_sight())

    assert ledger.acted == ("d-0",)
    assert ledger == seen_rollout(ledger, a_sight(status="Baking"))
    assert ledger != seen_rollout(ledger, a_sight(change="d-2"))
    assert ledger != seen_rollout(ledger, a_sight(Phase.RETURNING))


def test_a_rollback_does_not_condemn_code_that_has_proved_itself_elsewhere():
    release = a_release("2", code_sha256="same code")
    ledger = back(a_ledger(good=(a_good("1", code_sha256="same code"),)), release)

    assert ledger.bad[0].code_sha256 is None
    assert way_back(ledger, an_observation("3")) == "1"


@pytest.mark.parametrize(
    ("ledger", "observation", "version"),
    [
        (a_ledger(good=()), an_observation("2"), None),
        (a_ledger(), an_observation("2"), "1"),
        (a_ledger(), an_observation("1"), None),
        (a_ledger(good=(a_good("3"), a_good("2"), a_good("1"))), an_observation("3"), "2"),
        (a_ledger(good=(a_good("1"), a_good("2"))), an_observation("3"), "1"),
        (a_ledger(good=(a_good("3"),)), an_observation("2"), None),
        (a_ledger(good=(a_good("9"),)), an_observation("10"), "9"),
        (a_ledger(good=(a_good("10"),)), an_observation("9"), None),
        (a_ledger(), an_observation("$LATEST"), None),
        (a_ledger(good=(a_good("$LATEST"),)), an_observation("2"), None),
        (a_ledger(good=(a_good("2"), a_good("1"))), an_observation("1", "3"), "1"),
        # Not the one that serves the rest: that would throw two versions out at once.
        (a_ledger(good=(a_good("2"),)), an_observation("1", "3"), None),
        (
            a_ledger(bad=(Bad(version="1", at=NOW, incident_id="i"),)),
            an_observation("2"),
            None,
        ),
        (
            a_ledger(
                good=(a_good("1", code_sha256="x"),),
                bad=(Bad(version="7", at=NOW, incident_id="i", code_sha256="x"),),
            ),
            an_observation("2"),
            None,
        ),
    ],
)
def test_the_way_back(ledger, observation, version):
    assert way_back(ledger, observation) == version


NAMES = st.text(max_size=20)


@given(st.dictionaries(NAMES, ledgers(), max_size=3))
def test_the_ledgers_of_a_service_are_read_back_as_they_were_written(kept):
    assert decode_ledgers(encode_ledgers(kept)) == kept


@given(ledgers(), st.sampled_from(["1", "2", "3", "10", "$LATEST"]))
def test_looking_twice_is_looking_once(ledger, version):
    once = seen(ledger, an_observation(version), NOW)

    assert seen(once, an_observation(version), LATER) == once


def test_a_pointer_is_believed_where_all_traffic_goes_to_one_version():
    whole = a_ledger(current=a_release("2", whole_since_at=NOW), revision="r2")

    assert believed(whole) == an_observation("2", None, revision="r2")
    assert believed(replace(whole, revision=None)) is None
    assert believed(a_ledger(current=a_release("2"), revision="r2")) is None
    assert believed(Ledger()) is None


@given(ledgers())
def test_what_is_believed_is_what_was_seen(ledger):
    """To look at what is believed changes nothing in the ledger."""
    if known := believed(ledger):
        assert seen(ledger, known, LATER) == ledger


@pytest.mark.parametrize(
    ("ledger", "versions"),
    [
        (Ledger(), ()),
        (a_ledger(current=a_release("7"), good=()), ("7", "8")),
        (a_ledger(current=a_release("9"), good=(a_good("7"), a_good("6"))), ("9", "7", "10")),
        (a_ledger(current=a_release("$LATEST"), good=()), ("$LATEST",)),
        (
            a_ledger(
                current=a_release("1"),
                good=(a_good("1"),),
                bad=(Bad(version="2", at=NOW, incident_id="i"),),
            ),
            ("1", "3"),
        ),
    ],
)
def test_the_next_version_is_likely_as_well(ledger, versions):
    """Also after a rollback: the number of the bad one is never given again."""
    assert likely(ledger) == versions


# -- what is written of each, whole ---------------------------------------------------------------


def test_a_release_that_proves_itself_acquits_its_code_and_no_other():
    same = Bad(version="1", at=NOW, incident_id="i", code_sha256="c")
    other = Bad(version="0", at=NOW, incident_id="j", code_sha256="d")
    ledger = proved(a_ledger(bad=(same, other)), a_release("2", code_sha256="c"), LATER)

    assert ledger.good[0] == Good(version="2", proven_at=LATER, code_sha256="c")
    assert ledger.bad == (replace(same, code_sha256=None), other)


def test_a_version_that_was_moved_to_is_a_release_of_that_moment():
    before = a_ledger(acted=("x",), acted_at=(NOW,))

    assert back(before, a_release()).current == Release(
        version="1", since_at=LATER, origin=Origin.ROLLED_BACK
    )
    assert back(before, a_release()).bad == (Bad(version="2", at=LATER, incident_id="inc-1"),)
    assert put_back(before, version="2", revision="r9", now=LATER) == replace(
        before,
        current=Release(version="2", since_at=LATER, origin=Origin.PUT_BACK, whole_since_at=LATER),
        revision="r9",
    )


def test_what_was_acted_upon_is_remembered_beside_what_was_before():
    before = Ledger(acted=("x",), acted_at=(NOW,))

    assert acting(before, "y", LATER) == Ledger(acted=("y", "x"), acted_at=(LATER, NOW))
    assert settled(before, "y") == Ledger(acted=("y", "x"), acted_at=(NOW,))


@pytest.mark.parametrize("proven_at", [None, NOW])
def test_after_a_drill_it_is_as_if_nothing_had_been_done(proven_at):
    release = a_release(code_sha256="c", proven_at=proven_at)
    good = Good(version="2", proven_at=NOW, code_sha256="c")
    earlier = Bad(version="0", at=NOW, incident_id="other")
    before = Ledger(
        current=release,
        revision="r1",
        good=((good,) if proven_at else ()) + (a_good("1"),),
        bad=(earlier,),
        acted=("x",),
        acted_at=(NOW,),
    )
    drilled = back(acting(before, release.key, LATER), release)
    ended = rehearsed(drilled, release, revision="r10", incident_id="inc-1", acted_at=LATER)

    assert ended == replace(before, revision="r10")
    # Where it could not go forward again, it stays where it is.
    left = acquitted(drilled, release, incident_id="inc-1", acted_at=LATER)
    assert left == replace(before, current=drilled.current, revision="r9")
