"""Ways to have the watcher mislead, or keep silent, that somebody has tried."""

from scenarios import errors_alarm, house_with

from house import policy_document
from local.aws_model.alarm import Actions

# -- what the watcher looks at -----------------------------------------------------------------


def test_a_dependency_whose_alarm_does_not_exist_is_a_problem_before_anything_breaks():
    """Nothing is rolled back for want of it: that is no time to learn of a typing error."""
    document = policy_document()
    document["services"][0]["dependencies"] = ["databse-down", "bank-down"]
    house = house_with(errors_alarm("bank-down", actions=Actions(enabled=False)), document=document)

    done = house.watch()
    assert done.problems == ["shop: alarm databse-down of a dependency does not exist"]
    assert done.hushed == []
