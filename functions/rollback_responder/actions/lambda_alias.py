"""Moving a Lambda alias back, with compare-and-set, exactly once.

Facts relied on (Lambda API reference, UpdateAlias, as in the SDK's service model): a wrong
`RevisionId` answers PreconditionFailedException and changes nothing; the revision rotates with each
update; `Description` holds up to 256 characters. Whether an update without `RoutingConfig` keeps
the weights is not documented, so empty weights are always sent (assumption A1).
"""

import re
from typing import TYPE_CHECKING

from rollback_responder.actions.refusal import refused, unread
from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.errors import (
    ActionDenied,
    ActionError,
    ActionUnclear,
    TargetChanged,
    TargetGone,
)
from rollback_responder.domain.release import Build, Observation
from rollback_responder.domain.target import LambdaAlias
from rollback_responder.ports import Move

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import AliasConfigurationResponseTypeDef

# An update that does not mention the description leaves it, so the marker also says where the claim
# put the alias: it proves nothing about an alias that has been moved since.
MARKER = re.compile(r"rollback-responder claim (\S+) to version (\S+)")

NOT_APPLIED: dict[str, type[ActionError]] = {
    "ResourceNotFoundException": TargetGone,
    "PreconditionFailedException": TargetChanged,
    "ResourceConflictException": TargetChanged,
    "InvalidParameterValueException": ActionDenied,
    "ValidationException": ActionDenied,
}


class LambdaAliasAction:
    """Reads and moves aliases. `acts` must be a client without retries."""

    def __init__(self, *, reads: "LambdaClient", acts: "LambdaClient") -> None:
        self._reads = reads
        self._acts = acts

    def observe(self, target: LambdaAlias) -> Observation | None:
        """See `PointerAction.observe`. One GetAlias."""
        try:
            alias = self._reads.get_alias(FunctionName=target.function, Name=target.alias)
        except AwsError as error:
            if name_of(error) == "ResourceNotFoundException":
                return None
            raise unread(f"GetAlias of {target.title}", error) from error
        return _observation(alias)

    def move(self, target: LambdaAlias, move: Move) -> Observation:
        """See `PointerAction.move`. One UpdateAlias."""
        marker = f"rollback-responder claim {move.claim_id} to version {move.to_version}"
        what = f"moving {target.title} to version {move.to_version}"
        try:
            alias = self._acts.update_alias(
                FunctionName=target.function,
                Name=target.alias,
                FunctionVersion=move.to_version,
                RoutingConfig={"AdditionalVersionWeights": {}},
                RevisionId=move.expected_revision,
                Description=marker,
            )
            return _observation(alias)
        except AwsError as error:
            refused(what, error, NOT_APPLIED)
        except KeyError as error:
            raise ActionUnclear(f"{what}: the answer has no {error}") from error

    def build(self, target: LambdaAlias, version: str) -> Build | None:
        """See `PointerAction.build`. One GetFunctionConfiguration: `CodeSha256`, `Description`."""
        try:
            found = self._reads.get_function_configuration(
                FunctionName=target.function, Qualifier=version
            )
        except AwsError as error:
            if name_of(error) == "ResourceNotFoundException":
                return None
            raise ActionError(
                f"GetFunctionConfiguration of {target.function}:{version}: {name_of(error)}"
            ) from error
        return Build(code_sha256=found["CodeSha256"], about=found.get("Description") or None)


def _observation(alias: "AliasConfigurationResponseTypeDef") -> Observation:
    # A weighted alias has at most two versions (Lambda developer guide, "Weighted alias").
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    marker = MARKER.search(alias.get("Description", ""))
    if marker and (weights or marker.group(2) != alias["FunctionVersion"]):
        marker = None
    return Observation(
        primary=alias["FunctionVersion"],
        other=next(iter(weights), None),
        revision=alias["RevisionId"],
        marker=marker.group(1) if marker else None,
    )
