"""The model of Lambda's versions and aliases: what GetAlias, UpdateAlias and their kin promise.

In process and strict, in the shapes of the SDK's own service model. Rules, each from the Lambda API
reference unless stated: a version in use cannot be deleted; the revision rotates with every update
and a stale one is refused; an alias to a version that does not exist is refused; weights name one
more version. Which of revision and version is checked first is assumed (A3), and so is that weights
stay where an update does not mention them (A1).
"""

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.aws_model.errors import ModelError

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Lambda developer guide; API reference, MaxItems: "returns a maximum of 50 items".
VERSIONS_A_PAGE = 50


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _gone(what: str) -> ModelError:
    return ModelError("ResourceNotFoundException", f"{what} not found", status=404)


@dataclass(slots=True, kw_only=True)
class _Alias:
    version: str
    revision: str
    weights: dict[str, float] = field(default_factory=dict)
    description: str = ""


class LambdaAliases:
    """Functions with their versions and aliases."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or (lambda: EPOCH)
        self._published: dict[tuple[str, str], datetime] = {}
        self._revisions = (f"revision-{number}" for number in itertools.count(1))
        self._versions: dict[str, dict[str, str]] = {}
        self._aliases: dict[tuple[str, str], _Alias] = {}
        self.moves: list[tuple[str, str, str]] = []

    # -- what a pipeline does -------------------------------------------------------------------

    def publish(self, function: str, code: str) -> str:
        """Publish a version; unchanged code gives the latest version again."""
        versions = self._versions.setdefault(function, {})
        sha256 = hashlib.sha256(code.encode()).hexdigest()
        if versions and list(versions.values())[-1] == sha256:
            return list(versions)[-1]
        version = str(len(versions) + 1)
        versions[version] = sha256
        self._published[function, version] = self._clock()
        return version

    def point(
        self,
        function: str,
        alias: str,
        version: str,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Point an alias somewhere, as a deployment does; creates it where it is new."""
        kept = self._aliases.setdefault((function, alias), _Alias(version=version, revision=""))
        kept.version, kept.weights = version, dict(weights or {})
        kept.revision = next(self._revisions)

    def delete_version(self, function: str, version: str) -> None:
        """Delete a version that no alias uses."""
        for (owner, alias), kept in self._aliases.items():
            if owner == function and version in {kept.version, *kept.weights}:
                raise ModelError(
                    "ResourceConflictException", f"alias {alias} uses version {version}", status=409
                )
        self._versions[function][version] = ""

    def delete_alias(self, function: str, alias: str) -> None:
        """Delete an alias."""
        del self._aliases[function, alias]

    def version_of(self, function: str, alias: str) -> str:
        """The alias's primary version."""
        return self._aliases[function, alias].version

    def weights_of(self, function: str, alias: str) -> Mapping[str, float]:
        """The alias's additional weights."""
        return self._aliases[function, alias].weights

    # -- what the API answers -------------------------------------------------------------------

    def get_alias(self, *, FunctionName: str, Name: str) -> dict[str, Any]:
        """GetAlias."""
        return self._shown(FunctionName, Name)

    def update_alias(
        self,
        *,
        FunctionName: str,
        Name: str,
        FunctionVersion: str | None = None,
        Description: str | None = None,
        RoutingConfig: Mapping[str, Mapping[str, float]] | None = None,
        RevisionId: str | None = None,
    ) -> dict[str, Any]:
        """UpdateAlias."""
        kept = self._alias(FunctionName, Name)
        if RevisionId is not None and RevisionId != kept.revision:
            raise ModelError(
                "PreconditionFailedException", "The Revision Id provided is stale", status=412
            )
        if FunctionVersion is not None and not self._versions[FunctionName].get(FunctionVersion):
            raise _gone(f"version {FunctionVersion}")
        if FunctionVersion is not None:
            self.moves.append((FunctionName, kept.version, FunctionVersion))
            kept.version = FunctionVersion
        if Description is not None:
            kept.description = Description
        if RoutingConfig is not None:
            kept.weights = dict(RoutingConfig.get("AdditionalVersionWeights", {}))
        kept.revision = next(self._revisions)
        return self._shown(FunctionName, Name)

    def get_function_configuration(
        self,
        *,
        FunctionName: str,
        Qualifier: str,
    ) -> dict[str, Any]:
        """GetFunctionConfiguration."""
        sha256 = self._versions.get(FunctionName, {}).get(Qualifier)
        if not sha256:
            raise _gone(f"version {Qualifier}")
        shown = {"FunctionName": FunctionName, "Version": Qualifier, "CodeSha256": sha256}
        return shown | {"Description": ""}

    def list_versions_by_function(
        self, *, FunctionName: str, Marker: str | None = None
    ) -> dict[str, Any]:
        """ListVersionsByFunction: $LATEST first, then all that are not deleted, 50 a page.

        `LastModified` is written as 2026-11-22T04:11:05.123+0000 (API reference,
        FunctionConfiguration).
        """
        if FunctionName not in self._versions:
            raise _gone(f"function {FunctionName}")
        kept = {v: sha256 for v, sha256 in self._versions[FunctionName].items() if sha256}
        names = ["$LATEST", *kept]
        begin = int(Marker or 0)
        shown = [
            {
                "FunctionName": FunctionName,
                "Version": name,
                "CodeSha256": kept.get(name, "latest"),
                "LastModified": _stamp(self._published.get((FunctionName, name), EPOCH)),
            }
            for name in names[begin : begin + VERSIONS_A_PAGE]
        ]
        end = begin + VERSIONS_A_PAGE
        return {"Versions": shown} | ({"NextMarker": str(end)} if end < len(names) else {})

    def _alias(self, function: str, name: str) -> _Alias:
        kept = self._aliases.get((function, name))
        if kept is None:
            raise _gone(f"alias {name}")
        return kept

    def _shown(self, function: str, name: str) -> dict[str, Any]:
        kept = self._alias(function, name)
        shown: dict[str, Any] = {
            "Name": name,
            "FunctionVersion": kept.version,
            "Description": kept.description,
            "RevisionId": kept.revision,
        }
        if kept.weights:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(kept.weights)}
        return shown
