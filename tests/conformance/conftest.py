"""moto's account around a test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import world


@pytest.fixture
def account():
    with world.account():
        yield
