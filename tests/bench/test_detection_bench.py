"""The detection study: its traffic, its rivals by hand, its shortcut, a guard that can fail."""

import json
from datetime import timedelta
from math import comb, log, sqrt
from pathlib import Path

import numpy as np
import pytest

from bench.detection import gates, guard, ours, plots, study, tables
from bench.detection.__main__ import main
from bench.detection.ours import BEGIN, QUESTION, QUESTION_3_OF_5, Watch, acts, worth_a_look
from bench.detection.rivals import (
    FISHER_ALPHA,
    RIVALS,
    fisher_below,
    latest,
    m_of_n,
    sprt,
    z_of,
)
from bench.detection.study import BOTH, OURS, Played, Results
from bench.detection.traffic import (
    HISTORY,
    LAG,
    WATCH,
    Cell,
    Scenario,
    Traffic,
    delays,
    failing_siblings,
    simulate,
)

RUNS = 200
SIGMAS = 5


def a_cell(scenario=Scenario.NONE, rate=10, base=1.0, share=10, fault=0.0):
    return Cell(
        scenario=scenario,
        rate=rate,
        base_percent=base,
        share_percent=share,
        fault_percent=fault,
    )


def some_traffic(new, old=(), *, deploy_at=0.0, cell=None, history=()):
    """One run, from (requests, errors) by the minute; silence where nothing is said."""

    def counts(pairs, length, end=0):
        found = np.zeros((2, 1, length), dtype=np.int64)
        for index, pair in enumerate(pairs):
            found[:, 0, length - end - len(pairs) + index if end is None else end + index] = pair
        return found

    new_requests, new_errors = counts(new, WATCH)
    old_requests, old_errors = counts((*history, *old), HISTORY + WATCH, HISTORY - len(history))
    return Traffic(
        cell=cell or a_cell(),
        deploy_at=np.array([deploy_at]),
        clock_at=np.array([deploy_at]),
        new_requests=new_requests,
        new_errors=new_errors,
        old_requests=old_requests,
        old_errors=old_errors,
        shared=np.zeros((1, HISTORY + WATCH)),
    )


def flags(*minutes, length=WATCH):
    found = np.zeros((1, length), dtype=np.bool_)
    found[0, list(minutes)] = True
    return found


def near(counted, expected):
    """Of a Poisson count."""
    return abs(counted - expected) < SIGMAS * sqrt(expected)


# -- traffic --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1, 10, 50, 100])
def test_traffic_is_shared_out_from_the_second_of_the_deploy(share):
    found = simulate(a_cell(share=share, rate=20), RUNS, 7)
    before, after = found.deploy_at.sum(), (60 - found.deploy_at).sum()
    first = found.old_requests[:, HISTORY]

    assert near(found.new_requests[:, 0].sum(), 20 * share / 100 * after)
    assert near(first.sum(), 20 * (before + (1 - share / 100) * after))
    assert near(found.new_requests[:, 1:].sum(), 20 * share / 100 * 60 * RUNS * (WATCH - 1))
    assert near(found.old_requests[:, :HISTORY].sum(), 20 * 60 * RUNS * HISTORY)
    if share == 100:
        assert found.old_requests[:, HISTORY + 1 :].sum() == 0


def rate_of(errors, requests):
    return errors.sum() / requests.sum()


def test_a_fault_is_the_new_versions_alone_from_the_deploy_or_from_minute_30():
    now = simulate(a_cell(Scenario.FAULT, fault=10, rate=100), RUNS, 7)
    late = simulate(a_cell(Scenario.LATE, fault=10, rate=100), RUNS, 7)

    assert rate_of(now.new_errors, now.new_requests) == pytest.approx(0.10, rel=0.02)
    assert rate_of(now.old_errors, now.old_requests) == pytest.approx(0.01, rel=0.02)
    early, after = np.s_[:, :30], np.s_[:, 31:]
    assert rate_of(late.new_errors[early], late.new_requests[early]) == pytest.approx(0.01, rel=0.1)
    assert rate_of(late.new_errors[after], late.new_requests[after]) == pytest.approx(0.1, rel=0.05)
    assert np.all(late.clock_at == late.deploy_at + 1800)


def test_an_outage_hits_both_versions_in_the_same_ten_minutes():
    found = simulate(a_cell(Scenario.OUTAGE, share=50, rate=100), RUNS, 7)
    whole = np.isclose(found.shared, 0.30)
    watched = whole[:, HISTORY:]

    assert np.allclose(found.shared.sum(axis=1), 0.30 * 10)
    assert not found.shared[:, : HISTORY + 2].any()
    old_errors, old_requests = found.old_errors[:, HISTORY:], found.old_requests[:, HISTORY:]
    for errors, requests in (
        (found.new_errors, found.new_requests),
        (old_errors, old_requests),
    ):
        assert rate_of(errors[watched], requests[watched]) == pytest.approx(0.307, rel=0.02)
        healthy = found.shared[:, HISTORY:] == 0
        assert rate_of(errors[healthy], requests[healthy]) == pytest.approx(0.01, rel=0.05)


def test_blips_come_about_once_an_hour_and_last_sixty_seconds():
    found = simulate(a_cell(Scenario.BLIP), 1000, 7)

    assert near(found.shared.sum() / 0.10, 1000 * (HISTORY + WATCH) / 60)
    assert (found.shared > 0).sum() > 1.9 * found.shared.sum() / 0.10


def test_a_cold_start_is_over_with_its_minute_or_after_sixty_seconds():
    short = simulate(a_cell(Scenario.COLD, rate=1000), RUNS, 7)
    long = simulate(a_cell(Scenario.COLD_MINUTE, rate=1000), RUNS, 7)

    def rate(traffic, minute):
        return rate_of(traffic.new_errors[:, minute], traffic.new_requests[:, minute])

    assert [rate(short, 0), rate(long, 0)] == pytest.approx([0.08, 0.08], rel=0.02)
    assert rate(short, 1) == pytest.approx(0.01, rel=0.05)
    expected = 0.01 + 0.07 * np.mean(long.deploy_at) / 60
    assert rate(long, 1) == pytest.approx(expected, rel=0.05)
    assert rate(long, 2) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("scenario", "variation", "together"),
    [
        (Scenario.SHARED_1, 1, True),
        (Scenario.SHARED_2, 2, True),
        (Scenario.OWN_1, 1, False),
        (Scenario.OWN_2, 2, False),
    ],
)
def test_bursts_have_their_variation_and_are_shared_or_not(scenario, variation, together):
    found = simulate(a_cell(scenario, rate=1000, share=50), RUNS, 7)
    new = found.new_errors[:, 1:] / found.new_requests[:, 1:]
    old = found.old_errors[:, HISTORY + 1 :] / found.old_requests[:, HISTORY + 1 :]

    assert new.mean() == pytest.approx(0.01, rel=0.1)
    assert new.std() / new.mean() == pytest.approx(variation, rel=0.1)
    correlation = np.corrcoef(new.ravel(), old.ravel())[0, 1]
    assert correlation == pytest.approx(1 if together else 0, abs=0.05)


def test_the_same_seed_gives_the_same_traffic_whatever_was_played_before():
    cell = a_cell(Scenario.OUTAGE)
    first, again = simulate(cell, 5, 7), simulate(cell, 5, 7)
    other = simulate(cell, 5, 8)

    assert np.array_equal(first.new_errors, again.new_errors)
    assert not np.array_equal(first.new_requests, other.new_requests)


def test_siblings_fail_with_what_they_share_and_never_without():
    outage = simulate(a_cell(Scenario.OUTAGE), 1000, 7)
    none = simulate(a_cell(), 50, 7)

    def siblings(traffic, dependency):
        return failing_siblings(traffic, 7, dependency=dependency, threshold_percent=5)

    deep = outage.shared > 0.2
    assert siblings(outage, 1.0)[deep].all()
    assert not siblings(outage, 0.0).any()
    assert not siblings(none, 1.0).any()
    # The chance that none of three shares it.
    blind = ~siblings(outage, 0.7).any(axis=1)
    assert near(blind.sum(), 1000 * 0.3**3)


def test_a_delay_is_from_the_deploy_to_the_lag_after_the_minute():
    traffic = some_traffic([], deploy_at=20.0)

    assert delays(flags(1, 5), traffic).tolist() == [2 * 60 + LAG - 20]
    assert delays(flags(), traffic).tolist() == [np.inf]


def test_an_act_before_a_late_fault_is_left_out():
    traffic = simulate(a_cell(Scenario.LATE, fault=6), 1, 7)

    found = delays(flags(2, 29, 31), traffic)
    assert found.tolist() == [32 * 60 + LAG - traffic.clock_at[0]]


# -- rivals, by hand ------------------------------------------------------------------------------


def row(*values):
    return np.array([values], dtype=np.int64)


def test_m_of_n_counts_minutes_above_and_takes_silence_for_health():
    requests, errors = row(100, 100, 100, 0, 100), row(5, 6, 6, 0, 6)

    assert m_of_n(requests, errors, 1, 1).tolist() == [[False, True, True, False, True]]
    assert m_of_n(requests, errors, 2, 3).tolist() == [[False, False, True, True, True]]
    assert m_of_n(requests, errors, 3, 5).tolist() == [[False, False, False, False, True]]


def test_the_latest_minutes_are_added_up():
    assert latest(row(1, 2, 4, 8), 2).tolist() == [[1, 3, 6, 12]]
    assert latest(row(1, 2, 4, 8), 9).tolist() == [[1, 3, 7, 15]]


def test_z_by_hand():
    expected = 0.09 / sqrt(0.055 * 0.945 * (1 / 100 + 1 / 100))

    assert z_of(row(100), row(10), row(100), row(1)).tolist() == [[pytest.approx(expected)]]
    assert z_of(row(100), row(10), row(0), row(0)).tolist() == [[0.0]]


def test_sprt_by_hand():
    """Each error counts log 6, each success log(0.94 / 0.99); a thousand to one is enough."""
    assert 3 * log(6) < log(1000) < 4 * log(6)
    assert not sprt(some_traffic([(3, 3)])).any()
    assert sprt(some_traffic([(3, 3), (1, 1)]))[0, :3].tolist() == [False, True, True]
    assert 4 * log(6) + 6 * log(0.94 / 0.99) < log(1000)
    assert not sprt(some_traffic([(10, 4)])).any()


def slowly(n, x, m, y):
    """Fisher's one-sided p, by its definition."""
    k = x + y
    return sum(comb(n, i) * comb(m, k - i) for i in range(x, min(n, k) + 1)) / comb(n + m, k)


@pytest.mark.parametrize(
    ("new", "old", "fewest"),
    # The fewest errors for p < 0.01: the table of the product's detection notes, section 8.
    [(5, (1000, 1), 1), (50, (1000, 10), 4), (100, (1000, 10), 5), (500, (1000, 1), 6)],
)
def test_fisher_against_the_published_table(new, old, fewest):
    def below(errors):
        return fisher_below(0.01, row(new), row(errors), row(old[0]), row(old[1]))[0, 0]

    assert below(fewest)
    assert not below(fewest - 1)


def test_fisher_is_exact_wherever_its_bounds_leave_it_open():
    rng = np.random.default_rng(7)
    n, m = rng.integers(1, 2000, 150), rng.integers(1, 2000, 150)
    x, y = rng.binomial(n, 0.1), rng.binomial(m, 0.08)
    expected = [slowly(*(int(v) for v in each)) for each in zip(n, x, m, y, strict=True)]

    for alpha in (0.05, 0.01, FISHER_ALPHA):
        found = fisher_below(alpha, n, x, m, y)
        worse = x * m > y * n
        assert found.tolist() == [
            bool(w) and p < alpha for w, p in zip(worse, expected, strict=True)
        ]
        assert found.any()


# -- ours -----------------------------------------------------------------------------------------


def test_what_is_read_is_what_the_product_would_read():
    canary = simulate(a_cell(rate=100), 1, 7)
    at_once = simulate(a_cell(rate=100, share=100), 1, 7)
    early, late = (Watch(canary, 0).measured_at(index) for index in (3, 40))
    whole, blind = (Watch(at_once, 0, apart=apart).measured_at(40) for apart in (True, False))
    minute = timedelta(minutes=1)

    for found, index in ((early, 3), (late, 40), (whole, 40)):
        ended = BEGIN + (index + 1) * minute
        assert found.read_at == ended + ours.LAG_TIME
        assert found.new[-1].start_at + minute == ended
    assert [len(early.new), len(early.previous)] == [4, 10]
    assert [len(late.new), len(late.previous), len(late.total)] == [10, 10, 10]
    assert late.total[0].requests == late.new[0].requests + late.previous[0].requests
    assert [len(whole.new), len(whole.previous)] == [41, HISTORY + 1]
    assert whole.since_at == Watch(at_once, 0).changed_at - HISTORY * minute
    assert [len(blind.new), len(blind.previous), len(blind.total)] == [0, 0, HISTORY + 41]


def test_ours_convicts_a_fault_and_nobody_in_a_shared_outage():
    fault = simulate(a_cell(Scenario.FAULT, fault=50, rate=100), 10, 7)
    outage = simulate(a_cell(Scenario.OUTAGE, rate=100), 10, 7)

    assert np.all(delays(acts(fault), fault) < 3 * 60)
    assert RIVALS["version alarm 2/3"](outage).any(axis=1).all()
    assert not acts(outage).any()


def wild_traffic(share, seed):
    """Few requests, many errors, minutes of silence: whatever could make a difference."""
    rng = np.random.default_rng(seed)
    runs = 10 if share == 100 else 20
    base = simulate(a_cell(share=share), runs, seed)
    sizes = [(runs, WATCH), (runs, HISTORY + WATCH)]
    new, old = (
        rng.poisson(rng.choice([0.5, 3, 12, 40], (runs, 1)), size) * (rng.random(size) < 0.8)
        for size in sizes
    )
    # Worse on the new version, so that something is convicted.
    odds = [0.5, 0.2, 0.3], [0.8, 0.1, 0.1]
    errors = [
        rng.binomial(counts, rng.choice([0.01, 0.06, 0.4], counts.shape, p=p))
        for counts, p in zip((new, old), odds, strict=True)
    ]
    return Traffic(
        cell=base.cell,
        deploy_at=base.deploy_at,
        clock_at=base.clock_at,
        new_requests=new,
        new_errors=errors[0],
        old_requests=old,
        old_errors=errors[1],
        shared=base.shared,
    )


@pytest.mark.parametrize("question", [QUESTION, QUESTION_3_OF_5], ids=["2 of 3", "3 of 5"])
@pytest.mark.parametrize("share", [10, 100])
def test_what_is_skipped_would_not_have_acted(share, question):
    """Every minute that is left out is asked, and none of them convicts."""
    traffic = wild_traffic(share, 7)
    excused = np.random.default_rng(8).random((traffic.runs, HISTORY + WATCH)) < 0.2
    left_out = ~worth_a_look(traffic, question)

    for apart in (True, False)[: 1 + (share == 100)]:
        given = {"question": question, "excused": excused, "apart": apart}
        assert not acts(traffic, allowed=left_out, skip=False, **given).any()
        # Nor is that so because nothing is ever convicted here.
        assert acts(traffic, allowed=~left_out, **given).any()
    assert left_out.mean() > 0.2


def test_a_shortcut_that_leaves_out_too_much_is_seen(monkeypatch):
    """The same comparison with a shortcut that is wrong by one minute."""
    traffic = wild_traffic(10, 7)
    right = worth_a_look(traffic, QUESTION)
    monkeypatch.setattr(ours, "latest", lambda counts, minutes: latest(counts, minutes - 2))
    left_out = right & ~worth_a_look(traffic, QUESTION)

    assert acts(traffic, allowed=left_out, skip=False).any()


# -- the gates ------------------------------------------------------------------------------------

GOOD, POOR = (600, 6), (600, 60)


def at_once(minutes, deploy_at=0.0, **given):
    traffic = some_traffic(minutes, deploy_at=deploy_at, cell=a_cell(share=100))
    return gates.allowed(traffic, QUESTION, **given)[0].tolist()


def test_the_alarm_wakes_at_two_of_three():
    assert at_once([POOR, GOOD, POOR, GOOD, GOOD])[:5] == [False, False, True, False, False]
    assert not any(at_once([(1, 1)] * 5))


def test_an_alarm_has_fired_since_its_first_minute():
    firing = flags(HISTORY + 3, HISTORY + 4, HISTORY + 9, length=HISTORY + WATCH)
    found = gates.fired_at(firing)[0, HISTORY:]

    assert found[[3, 4, 9]].tolist() == [4 * 60 + LAG, 4 * 60 + LAG, 10 * 60 + LAG]
    assert np.isinf(found).sum() == WATCH - 3


@pytest.mark.parametrize(("begins", "expected"), [(12, True), (13, False)])
def test_what_began_too_late_is_not_blamed(begins, expected):
    """Bad from a minute on, the alarm fires with the next: 15 minutes after the deploy or later."""
    minutes = [GOOD] * begins + [POOR] * 3

    assert any(at_once(minutes)) is expected
    assert any(at_once(minutes, onset=False))


def test_a_sibling_that_fails_now_or_did_a_minute_ago_holds_it_back():
    failing = flags(HISTORY + 2, length=HISTORY + WATCH)

    found = at_once([POOR] * 6, siblings=failing)
    assert found[:6] == [False, True, False, False, True, True]


# -- the guard ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "runs", "p"), [(0, 50, 0.1), (9, 400, 0.006), (60, 100, 0.5)])
def test_the_tail_is_the_binomials(bad, runs, p):
    expected = sum(comb(runs, i) * p**i * (1 - p) ** (runs - i) for i in range(bad, runs + 1))

    assert guard.tail(bad, runs, p) == pytest.approx(expected)


def results_of(cell, method, *found):
    return Results([Played(cell, {method: np.array(found, dtype=np.float64)})])


@pytest.mark.parametrize(("acted", "missed"), [(0, False), (18, False), (32, False), (33, True)])
def test_a_rate_is_missed_beyond_its_error_only(acted, missed):
    cell = a_cell(Scenario.OUTAGE)
    results = results_of(cell, OURS, *[300.0] * acted, *[np.inf] * (3000 - acted))

    assert [each.missed for each in guard.guarded(results)] == [missed] * 2


@pytest.mark.parametrize(
    ("delay", "found", "missed"),
    [(238, 400, False), (261, 400, False), (263, 400, True), (238, 220, False), (238, 150, True)],
)
def test_a_median_is_missed_where_it_is_late_or_too_few_are_found(delay, found, missed):
    cell = a_cell(Scenario.FAULT, fault=6.0)
    results = results_of(cell, OURS, *[delay] * found, *[np.inf] * (400 - found))

    assert [each.missed for each in guard.guarded(results)] == [missed]


def trigger_happy(question, measurement, changed_at, excused, __):
    """Rolls back whatever it is asked about: an alarm that nobody thinks about."""
    return True


def sleeping(question, measurement, changed_at, excused, __):
    return False


def short(tmp_path, judge=ours.product_judge, runs=12):
    return main(
        ["--short", "--runs", str(runs), "--processes", "1", "--output", str(tmp_path)], judge=judge
    )


def test_the_short_study_passes_and_says_what_it_found(tmp_path, capsys):
    status = short(tmp_path)
    said = capsys.readouterr()
    written = json.loads((tmp_path / "results.json").read_text())

    assert (status, "47 of 47 guarded figures hold" in said.err) == (0, True), said.err
    assert "- 12 watches of 60 minutes in each of 48 cells, seed 7" in said.out
    assert "### shared outage" in said.out
    assert len(written["cells"]) == 48
    assert {each["missed"] for each in written["guarded"]} == {False}


def test_the_guard_fails_with_a_bad_detector_and_says_where(tmp_path, capsys):
    status = short(tmp_path, trigger_happy)
    said = capsys.readouterr().err

    assert status == 1
    assert "MISSED: canary 10 %, 100 requests/s, base 1 %, shared outage: 12 false in 12" in said


def test_a_detector_that_sleeps_misses_every_median():
    cells = [cell for cell in study.short_study() if cell.is_fault and cell.base_percent == 1]
    found = guard.guarded(study.run(cells, runs=12, seed=7, processes=1, judge=sleeping))

    assert [each.missed for each in found] == [True] * 7
    assert "never found, the prototype's 153 s; longer than 1.1 times" in found[-2].sentence


def test_siblings_are_what_the_guard_of_deploys_at_once_rests_on(monkeypatch):
    """Without the gates the figure is missed: ours convicts in every shared outage."""
    monkeypatch.setattr(gates, "alias_alarm", lambda *_: np.ones((30, 120), dtype=np.bool_))
    monkeypatch.setattr(
        study, "failing_siblings", lambda *_, **__: np.zeros((30, 120), dtype=np.bool_)
    )
    monkeypatch.setattr(gates, "fired_at", lambda firing: np.zeros(firing.shape))
    cell = a_cell(Scenario.OUTAGE, share=100)
    found = guard.guarded(study.run([cell], runs=30, seed=7, processes=1))

    assert [each.missed for each in found] == [True, True]


def test_the_published_study_holds():
    page = Path(study.__file__).with_name("RESULTS.md").read_text(encoding="utf-8")

    assert "3,000 watches of 60 minutes in each of 312 cells" in page
    assert "| held |" in page
    assert "missed**" not in page


# -- what is shown --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_up():
    """Every cell with every method, and no simulation."""
    rng = np.random.default_rng(7)
    methods = [OURS, study.OURS_3_OF_5, *tables.AT_ONCE, *RIVALS]
    return Results(
        [
            Played(cell, {m: np.where(rng.random(9) < 0.5, 200.0, np.inf) for m in methods})
            for cell in study.whole_study()
        ]
    )


def test_every_section_has_its_tables_and_every_row_its_columns(made_up):
    pages = list(tables.pages(made_up))
    rows = [line.count("|") for page in pages for line in page.splitlines() if "|" in line]

    assert [page.splitlines()[0] for page in pages] == [
        "## False rollbacks, canary 10 %",
        "## False rollbacks, ours, by the canary's share",
        "## False rollbacks, errors in bursts, canary 10 %",
        "## Delay of detection, canary 10 %",
        "## Delay of detection, ours, by the new version's share",
        "## Delay of detection, fault 30 minutes after the deploy, canary 10 %",
        "## False rollbacks, all traffic at once",
    ]
    assert set(rows) == {10, 7, 13}


def test_what_was_not_played_has_no_row():
    results = results_of(a_cell(Scenario.OUTAGE), OURS, 300.0, np.inf)
    (page,) = tables.pages(results)

    assert "| shared outage | 10/s, 1 % |\n| --- | --- |\n| **ours** | **50** |" in page


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "0"), (0.0003, "0.03"), (0.0125, "1.2"), (0.5, "50"), (1, "100")]
)
def test_percent(share, expected):
    assert tables.percent(share) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (5000, "300 / 300"),
        (4999, "300 / 300 (99.9 %)"),
        (1, "300 / 300 (< 0.1 %)"),
        (0, "never"),
    ],
)
def test_how_many_were_found_is_neither_all_nor_none_by_rounding(found, expected):
    cell = a_cell(Scenario.FAULT, fault=6.0)
    results = results_of(cell, OURS, *[300.0] * found, *[np.inf] * (5000 - found))
    (page,) = tables.pages(results)

    assert f"| {expected} |" in page


def test_the_pictures_are_drawn(made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 30)
    written = plots.draw(made_up, tmp_path)

    assert [path.name for path in written] == [
        "false-rollbacks.png",
        "delay.png",
        "all-at-once.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_both_gates_are_what_is_guarded():
    cell = a_cell(Scenario.OUTAGE, share=100)
    results = Results([Played(cell, {m: np.full(100, 300.0) for m in (BOTH, study.BOTH_70)})])

    assert [each.missed for each in guard.guarded(results)] == [True, True]
