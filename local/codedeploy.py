"""CodeDeploy on this machine: the strict model on the emulator's aliases, reached by the SDK.

The emulator has no CodeDeploy. The model shifts aliases of real functions there; the functions of
the responder reach it by the SDK's ordinary endpoint setting (``AWS_ENDPOINT_URL_CODEDEPLOY``).
"""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Self

from local.emulator import Emulator


class EmulatorAliases:
    """The emulator's aliases, as CodeDeploy shifts them; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lambda: Any = None

    def attach(self, emulator: Emulator) -> None:
        """Say which emulator; CodeDeploy's address must be known before that one starts."""
        self._lambda = self._stack.enter_context(closing(emulator.client("lambda")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def point(
        self,
        function: str,
        alias: str,
        version: str,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Point an alias at a version, the rest of its traffic at others."""
        self._lambda.update_alias(
            FunctionName=function,
            Name=alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights or {})},
        )

    def version_of(self, function: str, alias: str) -> str:
        """The alias's primary version."""
        return str(self._alias(function, alias)["FunctionVersion"])

    def weights_of(self, function: str, alias: str) -> Mapping[str, float]:
        """The alias's additional weights."""
        routing = self._alias(function, alias).get("RoutingConfig") or {}
        weights: Mapping[str, float] = routing.get("AdditionalVersionWeights") or {}
        return weights

    def get_function_configuration(
        self,
        *,
        FunctionName: str,
        Qualifier: str,
    ) -> dict[str, Any]:
        """GetFunctionConfiguration, as the emulator answers it."""
        answer: dict[str, Any] = self._lambda.get_function_configuration(
            FunctionName=FunctionName, Qualifier=Qualifier
        )
        return answer

    def _alias(self, function: str, alias: str) -> dict[str, Any]:
        found: dict[str, Any] = self._lambda.get_alias(FunctionName=function, Name=alias)
        return found
