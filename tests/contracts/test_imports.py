"""What import-linter cannot say: clients are made only in bootstrap, and rooms know no wiring."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "functions" / "rollback_responder"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("actions", "domain", "journal", "metrics", "notifiers", "signals")
HALLS = {"ports.py", "responder.py", "watcher.py", "aws_error.py"}
MAKERS = {"LeanClient", "client", "resource", "create_client", "get_session", "Session"}
# The clients of the functions, and those of people.
MAKE_CLIENTS = {"bootstrap/__init__.py", "bootstrap/people.py"}


def name_of(path):
    return str(path.relative_to(PACKAGE))


def imported(tree):
    """Every module and name a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def makes_clients(tree):
    """Names by which a file opens a client, or gets hold of what does."""
    found = [name for name in imported(tree) if name.split(".")[0] == "boto3"]
    found += [name for name in imported(tree) if name.startswith("botocore.session")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            word = getattr(called, "attr", getattr(called, "id", ""))
            if word in MAKERS:
                found.append(word)
    return found


def is_room(name):
    return name.split("/")[0] in ROOMS or name in HALLS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_clients_are_made_only_in_bootstrap(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))

    makes, name = set(makes_clients(tree)), name_of(path)
    # Its other modules are given one that makes them.
    given = {"client"} if name.startswith("bootstrap/") else set()

    assert makes - given if name in MAKE_CLIENTS else makes <= given


@pytest.mark.parametrize("path", [p for p in FILES if is_room(name_of(p))], ids=name_of)
def test_rooms_know_neither_wiring_nor_the_environment(path):
    names = set(imported(ast.parse(path.read_text(encoding="utf-8"))))

    assert not {n for n in names if n.startswith("rollback_responder.wiring")}
    assert not {n for n in names if n.startswith("rollback_responder.bootstrap")}
    assert not {n for n in names if n == "os" or n.startswith("os.environ")}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_reads_the_clock_but_bootstrap(path):
    """Time is an argument."""
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    clocks = called & {"now", "utcnow", "today", "monotonic", "time"}
    assert not clocks or name_of(path) == "bootstrap/__init__.py"


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import boto3", True),
        ("from boto3 import client", True),
        ("import botocore.session", True),
        ("from botocore.session import get_session", True),
        ("def f(session): return session.create_client('sqs')", True),
        ("def f():\n    from boto3.session import Session\n    Session()", True),
        ("def f(): return LeanClient('sqs')", True),
        ("from botocore.exceptions import ClientError", False),
        ("def f(client): client.update_item()", False),
    ],
)
def test_this_test_sees_what_it_looks_for(source, caught):
    assert bool(makes_clients(ast.parse(source))) is caught
