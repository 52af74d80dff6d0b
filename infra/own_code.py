"""What of our own code a function is shipped with: what its handler can load, without comments.

A change to Slack's words then leaves `respond` as it was deployed, and a rollback cannot stumble
over what it does not need. Comments and docstrings are for who reads the source; Lambda's console
shows no package of this size, and a traceback names the same lines with them or without.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def reached(package: Path, module: str) -> set[Path]:
    """The files of a package that a module of it can load, at once or later.

    Args:
        package: its folder, which stands in the folder that modules are found in.
        module: the name of the first one, with the package's own before it.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file_of(package, name)
        if path is None or path in found:
            continue
        found.add(path)
        # Whoever loads a module has loaded what it is in.
        waiting += [*_imported(path), name.rpartition(".")[0]]
    return found


def _file_of(package: Path, name: str) -> Path | None:
    """The file of a module; None of another package's, and of what a module has in it."""
    if name.partition(".")[0] != package.name:
        return None
    place = package.parent.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported(path: Path) -> Iterator[str]:
    """What may be a module among all that a file imports, but for what only its types need."""
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


@cache
def bare(source: str) -> str:
    """The source without comments and docstrings, each line where it was.

    Raises:
        ValueError, SyntaxError: a docstring shares its line with code, so it would be another one.
    """
    tree = ast.parse(source)
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column].rstrip()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            said = node.body.pop(0)
            assert said.end_lineno is not None
            first, rest = "", [""] * (said.end_lineno - said.lineno)
            if not node.body and not isinstance(node, ast.Module):
                # Something must stand where nothing else does.
                first = " " * said.col_offset + "pass"
                node.body.append(ast.Pass())
            lines[said.lineno - 1 : said.end_lineno] = [first, *rest]
    found = "\n".join(lines)
    if ast.dump(ast.parse(found)) != ast.dump(tree):
        raise ValueError("a docstring shares its line with code: give each a line of its own")
    return found
