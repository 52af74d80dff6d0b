"""The shop, release 2: shipping is free above 50."""

from typing import Any

DISCOUNT_PERCENT = {"SAVE10": 10, "WELCOME": 15}
FREE_SHIPPING_FROM_CENTS = 5000
SHIPPING_CENTS = 490


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the total of an order in cents, less its discount, with shipping."""
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    percent = DISCOUNT_PERCENT.get(event["discount_code"], 0)
    total = total * (100 - percent) // 100
    shipping = 0 if total >= FREE_SHIPPING_FROM_CENTS else SHIPPING_CENTS
    return {"request_id": event["request_id"], "total_cents": total + shipping}
