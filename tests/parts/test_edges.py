"""The edges know who calls, end a process at its very call, and write down what came through."""

import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from local.loopback import LoopbackServer, Response
from tests.parts.clock import MINUTE, Leaps
from tests.parts.edges import ACTS, Edges
from tests.parts.plan import AFTER, BEFORE, NOTIFY, RESPOND, THE_ACT, Failure, Moment, What

# A process that calls as often as it is told, each time on a connection of its own.
CALLER = """
import sys, urllib.request
_, url, times, target, path, method, body = sys.argv
for _ in range(int(times)):
    request = urllib.request.Request(url + path, data=body.encode(), method=method)
    if target:
        request.add_header("X-Amz-Target", target)
    try:
        print(urllib.request.urlopen(request, timeout=0.5).status, flush=True)
    except Exception as error:
        print(type(error).__name__, getattr(error, "code", ""), flush=True)
"""
NAMES = {RESPOND: "x-RespondFunction-1", NOTIFY: "x-NotifyFunction-1"}
PUT = "DynamoDB_20120810.UpdateItem"
STOP = "CodeDeploy_20141006.StopDeployment"


class World:
    """AWS behind a door, and the processes that call."""

    def __init__(self, edges, door, taken):
        self.edges, self.door, self.taken = edges, door, taken
        self.children = []

    def calls(self, times, *, function=RESPOND, target=PUT, path="/", method="POST", body="{}"):
        process = subprocess.Popen(
            [sys.executable, "-c", CALLER, self.door.url, str(times), target, path, method, body],
            env={"AWS_LAMBDA_FUNCTION_NAME": NAMES[function]},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.children.append(process.pid)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said.split()


@contextmanager
def opened(tmp_path, *failures, status=200):
    taken = []

    def answer(request):
        taken.append(request.path)
        return Response(status=status, content_type="text/plain", body=b"{}")

    edges = Edges(Leaps(tmp_path / "leaps"))
    stage = SimpleNamespace(failed=[], acts=[])
    stage.fail, stage.acted = stage.failed.append, stage.acts.append
    with LoopbackServer(answer) as server:
        world = World(edges, None, taken)
        with edges.door(lambda: server.url, lambda: world.children) as door:
            world.door, world.stage = door, stage
            edges.arm(failures, stage)
            yield world
            edges.check()


def at(number, side, function=RESPOND):
    return Moment(function=function, number=number, side=side)


@pytest.mark.parametrize(("side", "taken"), [(BEFORE, 2), (AFTER, 3)])
def test_a_process_dies_at_its_call_before_it_is_done_or_after(tmp_path, side, taken):
    with opened(tmp_path, Failure(what=What.KILL, at=at(3, side))) as world:
        code, said = world.calls(5)

        assert code == -signal.SIGKILL
        assert said == ["200", "200"]
        assert len(world.taken) == taken
        assert [failure.what for _, failure in world.edges.met] == [What.KILL]


def test_calls_are_counted_for_each_function(tmp_path):
    with opened(tmp_path, Failure(what=What.KILL, at=at(2, BEFORE, NOTIFY))) as world:
        assert world.calls(3)[0] == 0
        assert world.calls(3, function=NOTIFY)[0] == -signal.SIGKILL


@pytest.mark.parametrize(("status", "code"), [(200, -signal.SIGKILL), (400, 0)])
def test_after_the_act_is_after_one_that_was_taken(tmp_path, status, code):
    failure = Failure(what=What.KILL, at=at(1, AFTER, THE_ACT))
    with opened(tmp_path, failure, status=status) as world:
        assert world.calls(1)[0] == 0
        assert world.calls(2, target=STOP)[0] == code
        assert len(world.edges.acts()) == (status == 200)
        assert len(world.stage.acts) == (status == 200)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("InternalServerError", ["HTTPError", "500"]),
        ("ProvisionedThroughputExceededException", ["HTTPError", "400"]),
        ("reset", ["ConnectionResetError"]),
    ],
)
def test_the_table_is_away_for_its_minutes_and_nothing_else_is(tmp_path, how, said):
    failure = Failure(what=What.TABLE, at=at(2, BEFORE), minutes=3, how=how)
    with opened(tmp_path, failure) as world:
        assert world.calls(3)[1] == ["200", *said, *said]
        assert world.calls(1, target=STOP)[1] == ["200"]
        assert not world.edges.is_quiet
        world.edges._clock.leap(4 * MINUTE)
        assert world.calls(1)[1] == ["200"]
        assert world.edges.is_quiet


@pytest.mark.parametrize(
    ("side", "said", "taken"),
    [(BEFORE, ["TimeoutError"], 0), (AFTER, ["200", "TimeoutError"], 2)],
)
def test_slack_keeps_silent_until_nobody_waits_any_more(tmp_path, side, said, taken):
    failure = Failure(what=What.SLACK, at=at(1, side, NOTIFY), times=1)
    with opened(tmp_path, failure) as world:
        post = {"function": NOTIFY, "target": "", "path": "/api/chat.postMessage"}
        assert world.calls(len(said), **post)[1] == said
        assert len(world.taken) == taken
        deadline = time.monotonic() + 5
        while not world.edges.is_quiet:
            assert time.monotonic() < deadline
        assert world.calls(1, **post)[1] == ["200"]


def test_what_no_door_can_do_is_asked_of_the_stage(tmp_path):
    failure = Failure(what=What.WATCHER, at=at(1, BEFORE), minutes=10)
    with opened(tmp_path, failure) as world:
        assert world.calls(1)[1] == ["200"]
        assert world.stage.failed == [failure]


def test_an_alias_is_moved_by_a_put_and_read_by_a_get(tmp_path):
    with opened(tmp_path) as world:
        path = "/2015-03-31/functions/alias/aliases/live"
        world.calls(1, target="", path=path, method="PUT", body='{"FunctionVersion": "1"}')
        world.calls(1, target="", path=path, method="GET")

        assert [call.operation for call in world.edges.calls] == ["UpdateAlias", "GetAlias"]
        assert [call.about for call in world.edges.calls] == ["1", ""]
        assert [call.is_act for call in world.edges.calls] == [True, False]
        assert {call.function for call in world.edges.calls} == {RESPOND}


def test_a_door_that_breaks_is_not_taken_for_a_failing_part(tmp_path):
    edges = Edges(Leaps(tmp_path / "leaps"))
    with edges.door(lambda: 1 / 0, list) as door:
        with socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2]))) as caller:
            caller.sendall(b"GET / HTTP/1.0\r\n\r\n")
            caller.recv(1)
        with pytest.raises(ZeroDivisionError):
            edges.check()


def test_every_act_is_one_that_the_product_may_make():
    from infra.sdk_data import OPERATIONS  # noqa: PLC0415 - only here

    called = {name for names in OPERATIONS.values() for name in names}
    # A rollback of a stack is never ordered; if it were, it would count.
    assert ACTS - called == {"RollbackStack"}
