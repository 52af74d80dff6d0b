"""What the benches of growth and cost count is what the product calls, and what it is billed as."""

from collections import Counter

import pytest

from bench.cost import __main__ as cost
from bench.cost import alarm, bill
from bench.cost.prices import PRICES
from bench.growth import __main__ as growth
from bench.growth import starts
from bench.town import Call, Town, document, name_of
from rollback_responder.domain.policy import parse_policy


def a_call(operation, given, answer=None, service="dynamodb"):
    return Call(service=service, operation=operation, given=given, answer=answer)


def test_a_quiet_minute_is_one_look_at_each_alias_and_pages_of_rows_and_alarms():
    for services, rows, alarms in ((1, 1, 1), (50, 1, 1), (51, 1, 2), (101, 2, 3)):
        assert growth.calls_a_minute(services) == {
            "lambda get_alias": services,
            "dynamodb batch_get_item": rows,
            "cloudwatch describe_alarms": alarms,
            "cloudwatch list_alarm_mute_rules": 1,
        }


def test_a_row_is_read_by_its_size_and_an_item_that_is_not_there_all_the_same():
    items = [{"a": {"S": "x" * 9000}}, {"a": {"S": "x"}}]
    keys = {"RequestItems": {"t": {"Keys": [{"pk": {"S": str(n)}} for n in range(3)]}}}
    read = a_call("batch_get_item", keys, {"Responses": {"t": items}})

    assert bill.amounts_of([read]) == {"dynamodb_read": 3 + 1 + 1}


def test_a_transaction_counts_twice_and_a_refused_write_once():
    put = {"Put": {"Item": {"a": {"S": "x" * 1500}}}}
    calls = [
        a_call("transact_write_items", {"TransactItems": [put]}),
        a_call("update_item", {"Key": {"pk": {"S": "x"}}}),
    ]

    assert bill.amounts_of(calls) == {"dynamodb_write": 4 + 1}


def test_of_getmetricdata_each_metric_is_billed_and_no_expression():
    queries = [{"Id": "a", "MetricStat": {}}, {"Id": "b", "MetricStat": {}}, {"Expression": "a"}]
    calls = [
        a_call("get_metric_data", {"MetricDataQueries": queries}, service="cloudwatch"),
        a_call("describe_alarms", {}, service="cloudwatch"),
        a_call("get_alias", {}, service="lambda"),
    ]

    assert bill.amounts_of(calls) == {"cloudwatch_metric_read": 2, "cloudwatch_request": 1}


def test_an_alarm_is_billed_by_the_metrics_that_it_looks_at():
    """A rate looks at errors and invocations, a percentile at one metric."""
    assert cost.alarm_metrics(parse_policy(document(4))) == 4 * 3


def test_a_month_has_as_many_watches_as_minutes():
    month = cost.idle_month(2)

    assert month["lambda_request"] == 730 * 60
    assert month["dynamodb_read"] == 2 * 730 * 60
    assert bill.usd(month) == pytest.approx(
        sum(PRICES[name].usd * amount / PRICES[name].per for name, amount in month.items())
    )


def test_a_bad_deploy_is_rolled_back_told_and_over_in_what_is_counted():
    answered, followed = alarm.answered(), alarm.followed()

    assert answered["lambda_request"] == 2
    assert not {name for name in answered if followed[name] < answered[name]}
    assert followed["lambda_request"] > answered["lambda_request"]
    assert followed["secret_request"] >= 2


def test_every_amount_that_is_counted_has_a_price():
    found = cost.idle_month(1) + alarm.followed() + Counter(cost.idle_month(3))

    assert set(found) <= set(PRICES)


def test_the_town_is_as_the_policy_says():
    town = Town(3)

    assert town.aliases.version_of(name_of(2), "live") == "1"
    assert len(town.policy.services) == 3
    assert len(starts.policy(5).services) == 5
