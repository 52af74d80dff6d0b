"""Reads a synthesised template the way CloudFormation would, with names instead of logical ids.

`<Ingress/Alarms>` is what `Ref` gives for the construct at that path, `<Ingress/Alarms.Arn>` an
attribute of it; pseudo parameters have fixed values.
"""

import json
from pathlib import Path
from typing import Any

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
}


class Template:
    def __init__(self, path: Path):
        self.path = path
        self.text = path.read_text()
        self.document = json.loads(self.text)
        self._names = {
            logical_id: _name(resource["Metadata"]["aws:cdk:path"])
            for logical_id, resource in self.document["Resources"].items()
        }
        self.resources = {
            self._names[logical_id]: self._read({k: v for k, v in raw.items() if k != "Metadata"})
            for logical_id, raw in self.document["Resources"].items()
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of that type, by name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def properties(self, name: str) -> dict[str, Any]:
        return self.resources[name]["Properties"]

    def outputs(self) -> dict[str, Any]:
        return self._read(self.document["Outputs"])

    def _read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"}:
            ref = value["Ref"]
            return PSEUDO.get(ref) or f"<{self._names.get(ref, ref)}>"
        if set(value) == {"Fn::GetAtt"}:
            logical_id, attribute = value["Fn::GetAtt"]
            return f"<{self._names[logical_id]}.{attribute}>"
        if set(value) == {"Fn::Join"}:
            separator, parts = value["Fn::Join"]
            return separator.join(self._read(part) for part in parts)
        if set(value) == {"Fn::Sub"}:
            text = value["Fn::Sub"]
            for name, meant in PSEUDO.items():
                text = text.replace(f"${{{name}}}", meant)
            return text
        return {key: self._read(member) for key, member in value.items()}


def _name(path: str) -> str:
    # The stack's own name leads, CDK's name for the one resource of a construct ends.
    pieces = path.split("/")[1:]
    return "/".join(pieces[:-1] if pieces[-1] == "Resource" else pieces)


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document, actions and resources always as lists."""
    return [
        {
            **statement,
            **{
                key: statement[key] if isinstance(statement[key], list) else [statement[key]]
                for key in ("Action", "Resource")
            },
        }
        for statement in document["Statement"]
    ]
