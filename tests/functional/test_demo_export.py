"""What a story leaves behind is what the command line reads, by the commands that it prints."""

import json

import pytest
from cli_recording import EXPORT, FIXED, read_at, story
from moto import mock_aws

from local import journal_export
from rollback_responder import bootstrap
from rollback_responder.cli import main
from tests.tables import TABLE, make_table


@pytest.fixture(scope="module")
def house():
    return story()


@pytest.fixture
def export(tmp_path):
    """A table as a real house left it, and the file that is made from it."""
    items = json.loads(EXPORT.read_text())["Items"]
    with mock_aws():
        client = make_table()
        for item in items:
            client.put_item(TableName=TABLE, Item=item)
        scanned = journal_export.scanned(client, TABLE)
    file = tmp_path / "demo" / "journal-hold.json"
    journal_export.write(scanned, file)
    return file


def test_the_export_holds_every_item_of_the_table(export):
    kept = json.loads(export.read_text())
    wanted = json.loads(EXPORT.read_text())

    def key(item):
        return item["pk"]["S"], item["sk"]["S"]

    assert sorted(kept["Items"], key=key) == sorted(wanted["Items"], key=key)
    assert kept["Count"] == wanted["Count"]


def test_a_large_table_is_read_to_its_end(tmp_path):
    with mock_aws():
        client = make_table()
        for number in range(40):
            key = {"pk": {"S": "service#shop"}, "sk": {"S": f"incident#{number}"}}
            client.put_item(TableName=TABLE, Item=key | {"text": {"S": "x" * 50_000}})
        first = client.scan(TableName=TABLE)
        scanned = journal_export.scanned(client, TABLE)

    # One answer holds a megabyte: the test could not fail otherwise.
    assert len(first["Items"]) < 40
    assert len(scanned["Items"]) == scanned["Count"] == 40


def test_each_command_that_is_printed_answers(export, house, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "utc_now", lambda: read_at(house))
    said = {}
    for command in journal_export.commands(export, FIXED):
        assert main.run(command) == 0, command
        said[command[0]] = capsys.readouterr().out

    assert list(said) == ["status", "incidents", "show", "report"]
    assert all("shop" in text for text in said.values())
    assert FIXED in said["show"]
    assert said["report"].startswith("# ")


def test_where_there_was_no_incident_none_is_asked_about(export):
    assert [one[0] for one in journal_export.commands(export, None)] == ["status", "incidents"]
