"""The hot path: how long from an alarm to the act, beside what a user would otherwise write."""
