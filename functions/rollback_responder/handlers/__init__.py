"""The Lambda entry points: parse, call, return. Each opens its house once, at cold start."""
