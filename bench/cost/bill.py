"""From counted calls to amounts of what AWS has a price for."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bench.cost.prices import PRICES
from bench.town import Call

Amounts = Counter[str]
# Assumed seconds of a call, as in the hot path's study; the calls of one walk are added up, which
# is too much where some are sent at once.
SECONDS = {"lambda": 0.060, "dynamodb": 0.006, "cloudwatch": 0.040, "slack": 0.150}
MEMORY_GB = 0.5
KB = 1024


def amounts_of(calls: Iterable[Call]) -> Amounts:
    """What the calls are billed as."""
    found: Amounts = Counter()
    for call in calls:
        if call.service == "dynamodb":
            found += _dynamodb(call)
        elif call.operation == "get_metric_data":
            queries = call.given["MetricDataQueries"]
            found["cloudwatch_metric_read"] += sum("MetricStat" in query for query in queries)
        elif call.service == "cloudwatch":
            found["cloudwatch_request"] += 1
    return found


def run_of(services: Iterable[str]) -> Amounts:
    """One run of a function that waits for these services, one after the other."""
    seconds = sum(SECONDS[service] for service in services)
    return Counter({"lambda_request": 1, "lambda_gb_second": seconds * MEMORY_GB})


def usd(amounts: Mapping[str, float]) -> float:
    """What that costs."""
    return sum(PRICES[name].of(amount) for name, amount in amounts.items())


def times(amounts: Mapping[str, float], number: float) -> Amounts:
    """So many times that much."""
    return Counter({name: amount * number for name, amount in amounts.items()})


def _dynamodb(call: Call) -> Amounts:
    """Units by the size of the items, on-demand mode: reads are consistent, transactions double."""
    answer = call.answer or {}
    match call.operation:
        case "batch_get_item":
            items = [item for rows in answer["Responses"].values() for item in rows]
            asked = sum(len(each["Keys"]) for each in call.given["RequestItems"].values())
            # What is not there is read as well.
            units = sum(_units(item, 4 * KB) for item in items) + asked - len(items)
            return Counter({"dynamodb_read": units})
        case "get_item" | "query":
            return Counter({"dynamodb_read": _units(answer, 4 * KB)})
        case "transact_write_items":
            return Counter(
                {
                    "dynamodb_write": sum(
                        2 * _units(next(iter(each.values())), KB)
                        for each in call.given["TransactItems"]
                    )
                }
            )
        case _:
            # An update is billed by the larger of the item before and after.
            written = max(_units(answer.get("Attributes"), KB), _units(call.given, KB))
            return Counter({"dynamodb_write": written})


def _units(value: Any, size: int) -> int:
    return max(1, math.ceil(len(json.dumps(value, default=str)) / size)) if value else 1
