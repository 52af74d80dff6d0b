"""An export of the journal, as a real house left it, and what each command prints of it.

`python -m tests.functional.cli_recording` records both anew, after a change that is meant.
"""

import contextlib
import io
import json
import os
import re
import sys
from datetime import timedelta
from pathlib import Path

from moto import mock_aws

from house import MINUTE, House, policy_document
from rollback_responder import bootstrap
from rollback_responder.cli import main
from rollback_responder.domain.controls import FixingForward, Unsafe
from rollback_responder.domain.document import write
from rollback_responder.domain.said import Said
from rollback_responder.journal.book import DynamoDbBook
from rollback_responder.journal.budget import KEY, DynamoDbBudget
from rollback_responder.journal.dynamodb import DynamoDbJournal
from tests.tables import LEASE, TABLE, make_table

HERE = Path(__file__).resolve().parent
EXPORT = HERE / "recordings" / "journal.json"
GOLDEN = HERE / "recordings" / "cli"
# What is printed does not depend on who tests.
ENVIRONMENT = {"COLUMNS": "160", "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8"}
JOURNAL = ["--journal", str(EXPORT)]
# The ids that the house gives: rolled back and fixed, rolled back in vain, still open.
FIXED, IN_VAIN, OPEN = "inc-0004", "inc-0009", "inc-0014"
COMMANDS = {
    "status.txt": ["status", *JOURNAL],
    "status.json": ["status", *JOURNAL, "--json"],
    "incidents.txt": ["incidents", *JOURNAL],
    "incidents.json": ["incidents", *JOURNAL, "--json"],
    "incidents-open.txt": ["incidents", *JOURNAL, "--open"],
    "show-fixed.txt": ["show", FIXED, *JOURNAL],
    "show-in-vain.txt": ["show", IN_VAIN, *JOURNAL],
    "show-open.txt": ["show", OPEN, *JOURNAL],
    "show-fixed.json": ["show", FIXED, *JOURNAL, "--json"],
    "report-fixed.md": ["report", FIXED, *JOURNAL],
    "report-fixed.html": ["report", FIXED, *JOURNAL, "--format", "html", "--region", "us-east-1"],
}


def story() -> House:
    """A bad deploy that rolling back mends, one that it does not, and one that is not clear yet."""
    guardrails = {"bake_minutes": 5, "metric_lag_minutes": 0, "cooldown_minutes": 10}
    house = House(policy_document(guardrails=guardrails))
    house.deploy("v1")
    house.traffic(8)
    house.deploy("v2", errors=0.6)
    house.traffic(30)
    house.deploy("v3", errors=0.6)
    house.traffic(4)
    house.errors["1"] = 0.6
    house.traffic(20)
    house.errors["1"] = 0.0
    house.traffic(20)
    house.deploy("v4", errors=0.08)
    house.traffic(5, requests=30)
    return house


def export(house: House) -> dict:
    """The table as `aws dynamodb scan` prints it, written by the journal itself."""
    with mock_aws():
        client = make_table()
        journal = DynamoDbJournal(client, TABLE, LEASE)
        row = house.journal.rows(["shop"])["shop"]
        for incident in [*house.journal.archive.values(), row.incident]:
            claim = journal.claim("shop", claim_id=incident.id, may_act=True, now=house.now)
            journal.close(claim, ledgers=row.ledgers, incident=incident)
        _hold_and_say(client, journal, house)
        answer = client.scan(TableName=TABLE)
    for item in answer["Items"]:
        # Said items end in a random word.
        item["sk"]["S"] = item["sk"]["S"].partition("+00:00#")[0]
    items = sorted(answer["Items"], key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
    return {"Items": items, "Count": answer["Count"], "ScannedCount": answer["ScannedCount"]}


def _hold_and_say(client, journal, house) -> None:
    """Somebody works on it, somebody said something, and the responder is paused."""
    journal.claim("shop", claim_id="inc-9999", may_act=True, now=house.now)
    budget = DynamoDbBudget(client, TABLE)
    budget.set_aside(FIXED, limit=10, now=house.now)
    until = house.now + timedelta(hours=1)
    fix = write(FixingForward(by="jane", until_at=until))
    mark = write(Unsafe(by="the pipeline", why="the migration ran", version="4"))
    _set(
        client,
        {"pk": {"S": "service#shop"}, "sk": {"S": "row"}},
        "controls",
        json.dumps({"fix_forward": fix, "unsafe": [mark]}),
    )
    _set(client, KEY, "paused_by", "joe")
    said = Said(at=house.now, by="jane", text="jane says that this was right", incident_id=FIXED)
    DynamoDbBook(client, TABLE).label("shop", FIXED, right=True, said=said)


def _set(client, key, name, text) -> None:
    client.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression=f"SET {name} = :text",
        ExpressionAttributeValues={":text": {"S": text}},
    )


def read_at(house: House):
    """When the commands are run: a minute after the last look."""
    return house.now + MINUTE


def printed(arguments: list[str], capsys=None) -> str:
    """What a command prints to a pipe."""
    assert main.run(arguments) == 0, arguments
    return capsys.readouterr().out


def without_picture(text: str) -> str:
    """What is printed, but for the picture: its bytes are the drawing library's."""
    return re.sub(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]{1000,}", "...", text)


def record() -> None:
    """Writes the export and every golden output anew."""
    house = story()
    EXPORT.parent.mkdir(exist_ok=True)
    EXPORT.write_text(json.dumps(export(house), indent=1) + "\n")
    GOLDEN.mkdir(exist_ok=True)
    bootstrap.utc_now = lambda: read_at(house)
    os.environ |= ENVIRONMENT
    for name, arguments in COMMANDS.items():
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main.run(arguments)
        assert code == 0, (arguments, code)
        (GOLDEN / name).write_text(without_picture(out.getvalue()))


if __name__ == "__main__":
    record()
    sys.stdout.write(f"recorded: {EXPORT.parent}\n")
