"""The journal that a story leaves behind, for the command line to read without AWS."""

import json
from pathlib import Path
from typing import Any


def scanned(client: Any, table: str) -> dict[str, Any]:
    """The whole table, as `aws dynamodb scan --output json` prints it."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    return {"Items": items, "Count": len(items), "ScannedCount": len(items)}


def write(export: dict[str, Any], file: Path) -> None:
    """Write an export where the command line can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(export, indent=1) + "\n", encoding="utf-8")


def commands(file: Path, incident_id: str | None) -> list[list[str]]:
    """What can be asked of an export: the arguments of `rollback`, one list for each command."""
    asked = [["status"], ["incidents"]]
    if incident_id is not None:
        asked += [["show", incident_id], ["report", incident_id]]
    return [[*one, "--journal", str(file)] for one in asked]
