"""The shop with a payment provider, release 2: every order is charged in euro as well."""

from typing import Any

import boto3

DISCOUNT_PERCENT = {"SAVE10": 10, "WELCOME": 15}
CENTS_A_EURO_CENT = 1.08
_ssm = boto3.client("ssm")


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Charge an order and return its total in two currencies; needs the provider as before."""
    total = sum(item["price_cents"] * item["quantity"] for item in event["items"])
    total = total * (100 - DISCOUNT_PERCENT.get(event["discount_code"], 0)) // 100
    if _ssm.get_parameter(Name="/shop/payments")["Parameter"]["Value"] == "down":
        raise ConnectionError("the payment provider does not answer")
    return {
        "request_id": event["request_id"],
        "total_cents": total,
        "total_euro_cents": round(total / CENTS_A_EURO_CENT),
    }
