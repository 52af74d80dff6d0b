"""The examples are synthesised as well, by the real CDK app."""

from tests.infra.conftest import synthesise

__all__ = ["synthesise"]
