"""A handler's log and figures, of which Powertools is loaded with the first."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from rollback_responder.handlers.tools import ROOMS, Tools

SECRET = "xoxb-" + "1234567890-abcdef"


@pytest.fixture
def tools(monkeypatch, request):
    """Of a function, and the rooms as they were again afterwards."""
    rooms = logging.getLogger(ROOMS)
    before = rooms.handlers, rooms.propagate, rooms.level
    monkeypatch.delenv("POWERTOOLS_LOG_LEVEL", raising=False)
    # Powertools keeps one logger for each name.
    yield Tools(request.node.name)
    rooms.handlers, rooms.propagate = before[:2]
    rooms.setLevel(before[2])


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def room():
    return logging.getLogger(f"{ROOMS}.responder")


def test_nothing_of_it_is_there_before_the_first_line(tools):
    assert "logger" not in vars(tools)
    assert "metrics" not in vars(tools)
    tools.flush()
    assert "metrics" not in vars(tools)


def test_the_first_line_of_a_room_is_written_as_the_next_ones_are(tools, capsys, request):
    room().warning("MUTATED %s, token=%s", "shop", SECRET)
    room().warning("again")
    tools.logger.info("told", alarm="a")

    first, second, third = lines(capsys)
    assert first["message"] == "MUTATED shop, token=[redacted]"
    assert (first["level"], first["service"]) == ("WARNING", request.node.name)
    assert set(first) == set(second)
    assert (second["message"], third["message"], third["alarm"]) == ("again", "told", "a")


def test_what_is_below_the_level_is_not_written_the_first_time_either(tools, capsys):
    room().debug("looking")
    room().info("looked")

    assert [line["message"] for line in lines(capsys)] == ["looked"]


def test_lines_of_several_threads_are_each_written_once(tools, capsys):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: room().info("line %s", n), range(40)))

    told = sorted(line["message"] for line in lines(capsys))
    assert told == sorted(f"line {n}" for n in range(40))


def test_what_cannot_be_logged_holds_up_no_rollback(tools, monkeypatch, capsys):
    """A line is written between an act and its journal."""
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "VERBOSE")

    room().warning("MUTATED shop")

    told = capsys.readouterr()
    assert told.out == ""
    assert "MUTATED shop" in told.err


def test_figures_are_written_when_they_are_flushed(tools, capsys):
    tools.count("heartbeat", 1)
    tools.flush()
    tools.flush()

    (told,) = lines(capsys)
    assert told["heartbeat"] == [1.0]
    assert told["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [
        {"Name": "heartbeat", "Unit": "Count"}
    ]
