"""The shop with a payment provider: when that is down, every release that needs it fails alike."""

import os
import urllib.request
from typing import Any

DISCOUNT_PERCENT = {"SAVE10": 10, "WELCOME": 15}


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Charge an order and return its total in cents; fails while the provider answers 503."""
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    total = total * (100 - DISCOUNT_PERCENT.get(event["discount_code"], 0)) // 100
    urllib.request.urlopen(os.environ["PAYMENTS_URL"], timeout=2).close()
    return {"request_id": event["request_id"], "total_cents": total}
