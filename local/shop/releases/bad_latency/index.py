"""The shop with a slow path: the recommendations of returning customers are worked out in line."""

import time
from typing import Any

DISCOUNT_PERCENT = {"SAVE10": 10, "WELCOME": 15}
RECOMMENDATIONS_SECONDS = 0.4


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the total of an order in cents; slow for every customer but a few new ones."""
    if not event["first_order"]:
        time.sleep(RECOMMENDATIONS_SECONDS)
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    percent = DISCOUNT_PERCENT.get(event["discount_code"], 0)
    return {"request_id": event["request_id"], "total_cents": total * (100 - percent) // 100}
