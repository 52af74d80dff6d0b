"""The demo service: a small shop whose releases are good, faulty or slow on purpose."""
