"""The shop, release 1: totals an order."""

from typing import Any

DISCOUNT_PERCENT = {"SAVE10": 10, "WELCOME": 15}


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the total of an order in cents, less its discount."""
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    percent = DISCOUNT_PERCENT.get(event["discount_code"], 0)
    return {"request_id": event["request_id"], "total_cents": total * (100 - percent) // 100}
