"""The mutants of a module: each is the module with one small fault in it.

The faults are mutmut's. Its way to run them is not used: it leaves out properties and tables, and
starts pytest anew for each mutant.
"""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, _is_enum_class, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "functions/rollback_responder"
ROOMS = ("domain", "actions")
# The gates, and what says from where to where an incident and its legs may go.
GATES_AND_TRANSITIONS = frozenset(
    f"domain.{name}" for name in ("gates", "decision", "incident", "leg", "following")
)
# A branch that the type checker proves to be impossible; the coverage leaves it out as well.
IMPOSSIBLE = "assert_never("
READABLE = m.Name("property") | m.Name("cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: `was` became `now`.

    `where` is a function, or a table: a constant of the module, or a class with its defaults.
    """

    module: str
    where: str
    was: str
    now: str
    in_body: bool
    # The lines of `was`, and of the function around it.
    lines: range
    around: range
    source: str

    @property
    def key(self):
        """Names it, wherever it is moved to."""
        return self.module, self.where, self.was, self.now

    @property
    def path(self):
        return path_of(self.module)

    @property
    def imported_as(self):
        return f"rollback_responder.{self.module}".removesuffix(".__init__")

    def compiled(self):
        """The module with the fault in it."""
        return compile(self.source, self.path, "exec")

    def function(self):
        """The code of just the function that has it."""
        code = self.compiled()
        for name in self.where.split("."):
            code = next(
                part
                for part in code.co_consts
                if isinstance(part, CodeType) and part.co_name == name
            )
        return code


def has_tables(module):
    """Whether its constants and defaults are broken as well: they decide, or are AWS's words.

    Those of the policy stand in its schema, which a test holds to the types word for word.
    """
    others = module == "domain.redaction" or module.startswith("actions.")
    return module in GATES_AND_TRANSITIONS or others


def path_of(module):
    """`domain.gates` is domain/gates.py."""
    return PRODUCT / f"{module.replace('.', '/')}.py"


def modules():
    """All that are mutated."""
    paths = sorted(path for room in ROOMS for path in (PRODUCT / room).glob("*.py"))
    return [f"{path.parent.name}.{path.stem}" for path in paths]


def plain(text):
    """Without how it is broken into lines."""
    return re.sub(r"\s+", " ", text).strip()


class Visitor(MutationVisitor):
    """Looks into properties as well."""

    def _skip_node_and_children(self, node):
        readable = m.matches(node, m.FunctionDef(decorators=[m.Decorator(decorator=READABLE)]))
        return not readable and super()._skip_node_and_children(node)


def _without_one(table):
    """A table without each of its entries."""
    if len(table.elements) > 1:
        for number in range(len(table.elements)):
            rest = [*table.elements[:number], *table.elements[number + 1 :]]
            yield table.with_changes(elements=rest)


OPERATORS = [*mutation_operators, (cst.Set | cst.Dict | cst.Tuple, _without_one)]


def mutants(module):
    """Every mutant of it, in the order of the text."""
    text = path_of(module).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = Visitor(OPERATORS, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    rendered = Rendered(wrapper.module)
    homes = list(_homes(wrapper.module))
    home_of = {node: home for home in homes for node in _nodes(home[-1])}
    bodies = {
        node
        for *_, statement in homes
        if isinstance(statement, cst.FunctionDef)
        for node in _nodes(statement.body)
    }
    for mutation in visitor.mutations:
        node = mutation.original_node
        home = home_of.get(node)
        if home is None or not (node in bodies or has_tables(module)):
            continue
        source = rendered.with_another(home, node, mutation.mutated_node)
        first, before, after = _difference(text.splitlines(), source.splitlines())
        if before == after or any(IMPOSSIBLE in line for line in before):
            continue
        span = positions[home[-1]]
        yield Mutant(
            module=module,
            where=".".join(name for part in home if (name := _name(part))),
            was=plain("\n".join(before)),
            now=plain("\n".join(after)),
            in_body=node in bodies,
            lines=range(first + 1, first + 1 + len(before)),
            # What the line of its name says is said when it is imported.
            around=range(span.start.line + 1, span.end.line + 1),
            source=source,
        )


class Rendered:
    """The text of a module, piece by piece: only the piece with a fault in it is written anew."""

    def __init__(self, tree):
        self._tree = tree
        self._pieces = {part: tree.code_for_node(part) for part in tree.body}
        self._begin, _, self._end = tree.code.partition("".join(self._pieces.values()))

    def with_another(self, home, old, new):
        """The whole text with another node in that home."""
        *around, statement = home
        changed = deep_replace(statement, old, new)
        for owner in around:
            parts = [changed if part is statement else part for part in owner.body.body]
            changed = owner.with_changes(body=owner.body.with_changes(body=parts))
        pieces = self._pieces | {home[0]: self._tree.code_for_node(changed)}
        return "".join([self._begin, *pieces.values(), self._end])


def _homes(tree):
    """Each statement of the module, and each of its classes with the class before it.

    Not the members of an enum: whatever they are called, they are told apart.
    """
    for statement in tree.body:
        if isinstance(statement, cst.ClassDef):
            for part in statement.body.body:
                if isinstance(part, cst.FunctionDef) or not _is_enum_class(statement):
                    yield statement, part
        else:
            yield (statement,)


def _nodes(node):
    yield node
    for child in node.children:
        yield from _nodes(child)


def _name(statement):
    """Of a function, a class or a constant; a class's own statements go by the class's."""
    match statement:
        case cst.FunctionDef() | cst.ClassDef():
            return statement.name.value
        case cst.SimpleStatementLine(
            body=[
                cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))])
                | cst.AnnAssign(target=cst.Name(value=name))
            ]
        ):
            return name
    return ""


def _difference(before, after):
    """Where two texts differ: after how many lines, and what stands there in each."""
    first = _alike(before, after)
    before, after = before[first:], after[first:]
    same = _alike(before[::-1], after[::-1])
    return first, before[: len(before) - same], after[: len(after) - same]


def _alike(one, other):
    """How many lines they begin with in common."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)
