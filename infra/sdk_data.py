"""The SDK's data, reduced to what is called: a cold start reads megabytes of JSON otherwise.

    sdk/<service>/<version>/   the operations below, and the rules of the service's addresses
    sdk/partitions.json        which those rules look up
    sdk/roots.pem              the certificates that AWS's own chain to

It is made from the pinned botocore at each synth, without its documentation. The formats are
botocore's (`botocore.loaders`).
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from botocore.httpsession import DEFAULT_CA_BUNDLE
from botocore.loaders import JSONFileLoader, Loader

# Every operation that a function calls; a contract test records them.
OPERATIONS: Mapping[str, frozenset[str]] = {
    "cloudformation": frozenset(
        {
            "CancelUpdateStack",
            "ContinueUpdateRollback",
            "DescribeStackEvents",
            "DescribeStacks",
        }
    ),
    "cloudwatch": frozenset(
        {"DescribeAlarms", "GetAlarmMuteRule", "GetMetricData", "ListAlarmMuteRules"}
    ),
    "codedeploy": frozenset(
        {
            "BatchGetDeployments",
            "CreateDeployment",
            "GetDeployment",
            "GetDeploymentGroup",
            "ListDeployments",
            "StopDeployment",
        }
    ),
    "dynamodb": frozenset(
        {
            "BatchGetItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "iam": frozenset({"SimulatePrincipalPolicy"}),
    "lambda": frozenset({"GetAlias", "GetFunctionConfiguration", "UpdateAlias"}),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "sqs": frozenset({"SendMessage"}),
}
# The roots of Amazon Trust Services, as the SDK's own bundle labels them.
ROOTS = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)
END = "-----END CERTIFICATE-----"


def write(folder: Path) -> None:
    """Writes the data of `OPERATIONS` into a folder that the SDK takes as its `data_path`."""
    for name, text in _files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@cache
def _files() -> tuple[tuple[str, str], ...]:
    """Names and contents, the same for each asset of a process, and in each process."""
    # Read from disk: whoever makes clients in this process may share what the SDK has loaded.
    loader: Any = Loader(file_loader=JSONFileLoader())
    found: dict[str, Any] = {"partitions.json": loader.load_data("partitions")}
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        model = loader.load_service_model(service, "service-2", version)
        rules = loader.load_service_model(service, "endpoint-rule-set-1", version)
        home = f"{service}/{version}"
        found[f"{home}/service-2.json"] = _reduced(model, operations)
        found[f"{home}/endpoint-rule-set-1.json"] = _silent(rules)
    texts = {name: json.dumps(data, separators=(",", ":")) for name, data in found.items()}
    texts["roots.pem"] = _roots(Path(DEFAULT_CA_BUNDLE).read_text("utf-8"))
    return tuple(texts.items())


def _roots(bundle: str) -> str:
    """These roots out of a bundle in which a line with its label stands before each.

    Raises:
        ValueError: one is not in it.
    """
    found = []
    for name in ROOTS:
        _, _, after = bundle.partition(f'# Label: "{name}"\n')
        certificate, end, _ = after.partition(END)
        if not end:
            raise ValueError(f"the SDK's bundle of certificates has no {name!r}")
        found.append(certificate[certificate.index("-----BEGIN") :] + END + "\n")
    return "".join(found)


def _reduced(model: Mapping[str, Any], operations: frozenset[str]) -> dict[str, Any]:
    kept = {name: model["operations"][name] for name in sorted(operations)}
    shapes, left = {}, list(_shapes_in(kept))
    while left:
        name = left.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            left += _shapes_in(shapes[name])
    return {
        "version": model["version"],
        "metadata": model["metadata"],
        "operations": _silent(kept),
        "shapes": _silent({name: shapes[name] for name in sorted(shapes)}),
        "clientContextParams": _silent(model.get("clientContextParams", {})),
    }


def _shapes_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for each in value.values():
            yield from _shapes_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _shapes_in(each)


def _silent(value: Any) -> Any:
    """Without documentation, which only people read; a member may have that name."""
    if isinstance(value, dict):
        return {
            key: _silent(each)
            for key, each in value.items()
            if not (key == "documentation" and isinstance(each, str))
        }
    return [_silent(each) for each in value] if isinstance(value, list) else value
