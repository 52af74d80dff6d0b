"""What is true of every value of the domain, whatever it holds."""

import importlib
import pkgutil
from typing import get_args

import pytest
from msgspec import Struct, structs

from rollback_responder import domain

VALUES = sorted(
    {
        value
        for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, type) and issubclass(value, Struct) and value is not Struct
    },
    key=lambda value: (value.__module__, value.__qualname__),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__qualname__)
def test_what_is_not_known_is_none_and_never_an_empty_text(value):
    unknown = {
        field.name
        for field in structs.fields(value)
        if type(None) in get_args(field.type) and field.default == ""
    }

    assert unknown == set()
