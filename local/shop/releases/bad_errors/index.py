"""The shop with a bug: discounts are read out of the code, but not every code holds a number."""

from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the total of an order in cents; fails for the code WELCOME, most of the orders."""
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    percent = int(event["discount_code"].removeprefix("SAVE"))
    return {"request_id": event["request_id"], "total_cents": total * (100 - percent) // 100}
