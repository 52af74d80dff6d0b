"""Lets mypy check `msgspec.structs.replace` as it does `dataclasses.replace`: names and types.

By itself mypy takes any change of a Struct, as msgspec's own stub says no more.
"""

from collections.abc import Callable

from mypy.plugin import FunctionSigContext, Plugin
from mypy.plugins.dataclasses import replace_function_sig_callback
from mypy.types import FunctionLike


class Structs(Plugin):
    """Knows one function."""

    def get_function_signature_hook(
        self, fullname: str
    ) -> Callable[[FunctionSigContext], FunctionLike] | None:
        """What gives a call of that function its types."""
        if fullname == "msgspec.structs.replace":
            return replace_function_sig_callback
        return None


def plugin(_version: str) -> type[Plugin]:
    """What mypy asks for."""
    return Structs
