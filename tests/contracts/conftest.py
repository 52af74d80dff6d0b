"""The contract tests hold both halves against each other, so they need the synthesised one too."""

import pytest
from moto import mock_aws

from tests.infra.conftest import responder, synthesis
from tests.tables import make_table

__all__ = ["responder", "synthesis"]


@pytest.fixture
def dynamodb():
    with mock_aws():
        yield make_table()
