"""The dashboard shows the figures that the functions publish, with the targets as lines."""

import json

import pytest

from infra.dashboard import NOT_REASONS
from rollback_responder.domain import figures, naming
from rollback_responder.domain.incident import State
from rollback_responder.domain.reason import Reason
from tests.builders import NOW, a_rolled_back_incident, an_incident

OWN = "rollback-responder-test"
# CloudWatch user guide, "Using search expressions": the query of a search.
LONGEST_SEARCH = 1024


@pytest.fixture(scope="module")
def widgets(responder):
    page = json.loads(responder.properties("Dashboard/Page")["DashboardBody"])
    return {widget["properties"].get("title"): widget for widget in page["widgets"]}


def metrics_of(widget):
    """Each own metric by name, with what stands beside it; a dot repeats what stands above."""
    found, above = {}, []
    for row in widget["properties"]["metrics"]:
        parts = [part for part in row if not isinstance(part, dict)]
        (options,) = [part for part in row if isinstance(part, dict)] or [{}]
        if "expression" in options:
            found["expression"] = options
            continue
        full = [above[n] if part == "." else part for n, part in enumerate(parts)]
        above = full
        namespace, name, dimension, service = full
        assert (namespace, dimension, service) == (naming.METRICS_NAMESPACE, "service", OWN)
        found[name] = options
    return found


def line_of(widget):
    (line,) = widget["properties"]["annotations"]["horizontal"]
    return line["value"], line["label"]


def test_the_mean_rollback_time_has_its_target_as_a_line(widgets):
    widget = widgets["Rollback time, seconds, mean of each day"]

    assert set(metrics_of(widget)) == {"SecondsToAction", "SecondsToBack", "SecondsToRecovery"}
    assert {options.get("stat", "Average") for options in metrics_of(widget).values()} == {
        "Average"
    }
    assert line_of(widget) == (900, "target: alarm to back under 900 s on average")


def test_every_outcome_is_shown_and_the_success_has_its_target_as_a_line(widgets):
    outcomes = metrics_of(widgets["Rollbacks by outcome, each day"])
    success = widgets["Rollbacks that helped, % of all since the left edge"]
    shown = metrics_of(success)
    expression = shown.pop("expression")["expression"]

    assert set(outcomes) == {naming.rollback_count(state.value) for state in figures.OUTCOMES}
    assert set(shown) == set(outcomes)
    fixed = shown["RollbackFixed"]["id"]
    assert expression.startswith(f"100 * RUNNING_SUM({fixed}) / RUNNING_SUM(")
    assert all(options["id"] in expression for options in shown.values())
    assert line_of(success) == (95, "target: over 95 %")


def test_the_false_rate_has_its_target_as_a_line(widgets):
    widget = widgets["False rollbacks, % of those labelled since the left edge"]
    shown = metrics_of(widget)
    expression = shown.pop("expression")["expression"]

    assert set(shown) == {naming.LABELLED_RIGHT, naming.LABELLED_WRONG}
    assert expression.startswith(f"100 * RUNNING_SUM({shown[naming.LABELLED_WRONG]['id']}) /")
    assert line_of(widget) == (5, "target: under 5 %")


def test_what_is_open_is_shown_with_its_age(widgets):
    shown = metrics_of(widgets["Incidents open, and the age of the oldest in seconds"])

    assert set(shown) == {naming.INCIDENTS_OPEN, naming.OLDEST_OPEN_SECONDS}
    assert shown[naming.OLDEST_OPEN_SECONDS]["yAxis"] == "right"


def test_the_fourth_target_is_said_not_measured(widgets):
    assert "The target is 0." in widgets[None]["properties"]["markdown"]


def test_only_reasons_are_searched_for_as_reasons(widgets):
    search = metrics_of(widgets["Actions and stand-downs, by reason"])["expression"]["expression"]
    fixed = a_rolled_back_incident((State.FIXED, Reason.SYMPTOM_GONE))
    published = [
        *figures.of_latest(a_rolled_back_incident()),
        *figures.of_latest(fixed),
        *figures.of_open([an_incident((State.UNDECIDED, Reason.INCONCLUSIVE))], NOW),
        *figures.of_label(right=True),
    ]
    reasons = {reason.value for reason in Reason}

    assert {figure.name for figure in published} - reasons <= set(NOT_REASONS)
    assert all(f'NOT MetricName="{name}"' in search for name in NOT_REASONS)
    assert len(search) <= LONGEST_SEARCH
