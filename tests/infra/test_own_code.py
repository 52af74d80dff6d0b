"""What is shipped of our own code: what a handler can load, and nothing that a reader needs."""

import ast
import subprocess
import sys
from itertools import combinations

import pytest

from infra import own_code, package

SOURCES = sorted(package.PACKAGE.rglob("*.py"))


def told(path):
    return path.relative_to(package.PACKAGE).as_posix()


def without_docstrings(source):
    """What the parser makes of a source, without the strings that are for its reader."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, own_code.DOCUMENTED) and ast.get_docstring(node) is not None:
            said = node.body.pop(0)
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass(lineno=said.lineno))
    return tree


def lines_of(tree):
    return [getattr(node, "lineno", None) for node in ast.walk(tree)]


@pytest.mark.parametrize("path", SOURCES, ids=told)
def test_a_bare_source_says_the_same_on_the_same_lines(path):
    source = path.read_text("utf-8")
    bare = own_code.bare(source)
    before, after = without_docstrings(source), ast.parse(bare)

    assert ast.dump(after) == ast.dump(before)
    assert lines_of(after) == lines_of(before)
    assert own_code.bare(bare) == bare


def test_comments_and_docstrings_go_and_strings_that_look_like_them_stay():
    source = '''"""A module."""

# A comment.
from a import b  # noqa: another


class C:
    """Says — in two
    lines."""


def f(x="# none"):  # ü
    """One."""
    return x + """
# no comment
"""
'''
    assert own_code.bare(source) == (
        "\n\n\nfrom a import b\n\n\nclass C:\n    pass\n\n\n\n"
        'def f(x="# none"):\n\n    return x + """\n# no comment\n"""\n'
    )


def test_a_string_that_a_line_ends_in_keeps_its_spaces():
    """Within a string a line's end is what the string says."""
    source = 'TEXT = """one  \ntwo"""\n'
    assert own_code.bare(source) == source


@pytest.mark.parametrize(
    "source",
    ['"""doc"""; x = 1\n', 'def f(): "doc"; return 1\n', 'def f():\n    "doc"; return 1\n'],
)
def test_what_would_say_something_else_is_an_error(source):
    with pytest.raises((ValueError, SyntaxError)):
        own_code.bare(source)


@pytest.fixture
def house(tmp_path):
    package = tmp_path / "house"
    for name, text in {
        "__init__": "",
        "door": "from house.hall import lamp\nimport json\n",
        "hall/__init__": "def lamp():\n    from house import cellar\n",
        "cellar": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.attic\n"
        "else:\n    import house.stove\nif stove:\n    import house.pipe\n",
        "attic": "",
        "stove": "",
        "pipe": "",
        "garden": "import house.door\n",
    }.items():
        path = package / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return package


def test_what_is_imported_anywhere_is_reached_and_what_only_types_need_is_not(house):
    found = own_code.reached(house, "house.door")
    names = sorted(path.relative_to(house).as_posix() for path in found)

    loaded = ["__init__.py", "cellar.py", "door.py", "hall/__init__.py", "pipe.py", "stove.py"]
    assert names == loaded


@pytest.mark.parametrize("function", package.FUNCTIONS)
def test_all_that_a_function_ever_loads_is_reached(function):
    """What the interpreter loads is what the reading of the source found, and not less."""
    handler = f"rollback_responder.handlers.{function}"
    found = own_code.reached(package.PACKAGE, handler)
    names = {
        ".".join(path.relative_to(package.PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        for path in found
    } - {handler}
    seen = "print(*(name for name in sys.modules if name.split('.')[0] == 'rollback_responder'))"
    program = f"import sys, {', '.join(sorted(names))}\n{seen}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(package.PACKAGE.parent)},
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == names


def test_no_two_functions_are_shipped_with_the_same():
    shipped = [
        own_code.reached(package.PACKAGE, f"rollback_responder.handlers.{function}")
        for function in package.FUNCTIONS
    ]
    assert all(one != other for one, other in combinations(shipped, 2))
