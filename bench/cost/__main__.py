"""What a month without an incident costs, and a million alarms, beside the naive and the typical.

    python -m bench.cost [--services 10 100 1000]

Our calls are those of the real watcher, responder and teller over the strict models, the others'
those of their handlers on loopback. Prices are list prices, to be checked (bench/cost/prices.py).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.cost import alarm, bill
from bench.cost.prices import EMPTY_RECEIVES_A_MINUTE, MINUTES_A_MONTH, PRICES
from bench.growth import synth
from bench.town import Town
from rollback_responder.domain import figures
from rollback_responder.domain.alarm_query import alarm_query
from rollback_responder.domain.metric import question_of
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.trigger import AdoptedAlarm

MILLION = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Counts and prints; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=(10, 100, 1000))
    options = parser.parse_args(arguments)
    numbers: list[int] = options.services
    fixed = standing()
    months = [idle_month(number) for number in numbers]
    print("US dollars, list prices of us-east-1 (bench/cost/prices.py), to be checked.\n")
    print(_header("an idle month, services", [f"{number:,}" for number in numbers]))
    alarms = [bill.usd({"alarm_metric": alarm_metrics(Town(n).policy)}) for n in numbers]
    print(_line("the services' alarms, which anybody needs", alarms))
    print(
        _line("the responder's own alarms, metrics, page, secret", [bill.usd(fixed)] * len(months))
    )
    for part in ("lambda_", "dynamodb_", "cloudwatch_", "sqs_"):
        some = [Counter({k: month[k] for k in month if k.startswith(part)}) for month in months]
        print(_line(f"{part.strip('_')}: {_units(some)}", [bill.usd(each) for each in some]))
    ours = [bill.usd(month) + bill.usd(fixed) for month in months]
    print(_line("ours beside the alarms", ours))
    print(_line("naive, typical beside the alarms", [0.0] * len(months)))
    print()
    print(_header("a million alarms", ["naive", "typical", "ours", "ours, to the end"]))
    found = [alarm.theirs("naive"), alarm.theirs("typical"), alarm.answered(), alarm.followed()]
    for name in sorted({name for amounts in found for name in amounts}):
        costs = [PRICES[name].of(amounts[name] * MILLION) for amounts in found]
        print(_line(f"{name}: {_each(name, found)} an alarm", costs))
    print(_line("all", [bill.usd(bill.times(amounts, MILLION)) for amounts in found]))
    return 0


def idle_month(services: int) -> bill.Amounts:
    """A quiet minute of the watcher, as often as a month has minutes, and the empty queue."""
    town = Town(services)
    town.watcher.watch()
    town.taken()
    town.watcher.watch()
    calls = town.taken()
    minute = bill.amounts_of(calls) + bill.run_of(call.service for call in calls)
    minute["sqs_request"] = EMPTY_RECEIVES_A_MINUTE
    return bill.times(minute, MINUTES_A_MONTH)


def standing() -> bill.Amounts:
    """What stands there for a month whatever happens: counted in the templates."""
    made = synth.run(10, "tags")
    alarms, page = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"
    idle = figures.of_open([], Town(1).now)
    return Counter(
        {
            "alarm_metric": made.count(alarms, of=page),
            "dashboard": made.count(page),
            "secret": made.count("AWS::SecretsManager::Secret"),
            # The heartbeat beside the figures of what is open.
            "custom_metric": 1 + sum(1 for _ in idle),
        }
    )


def alarm_metrics(policy: Policy) -> int:
    """How many metrics the services' alarms look at: an alarm is billed by each."""
    return sum(
        len(alarm_query(question_of(entry.trigger, entry.pointer)).series)
        for entry in policy.watched()
        if not isinstance(entry.trigger, AdoptedAlarm)
    )


def _units(amounts: Iterable[bill.Amounts]) -> str:
    return ", ".join(sorted({PRICES[name].unit for each in amounts for name in each}))


def _each(name: str, found: Sequence[bill.Amounts]) -> str:
    return " / ".join(f"{amounts[name]:.3g}" for amounts in found)


def _header(title: str, columns: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}"


def _line(title: str, costs: Sequence[float]) -> str:
    return f"| {title} | {' | '.join(f'{cost:,.2f}' for cost in costs)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
