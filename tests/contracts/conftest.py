"""The contract tests hold both halves against each other, so they need the synthesised one too."""

from tests.infra.conftest import responder, synthesis

__all__ = ["responder", "synthesis"]
