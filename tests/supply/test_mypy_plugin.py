"""A change of a Struct is checked like a call of its constructor."""

import pytest
from mypy import api

from infra import package

PROGRAM = """
from msgspec import Struct
from msgspec.structs import replace

class Point(Struct, frozen=True, kw_only=True):
    x: int

replace(Point(x=1), {change})
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("x=2", "Success"),
        ("x='2'", 'Argument "x" to "replace" of "Point" has incompatible type "str"'),
        ("y=2", 'Unexpected keyword argument "y" for "replace" of "Point"'),
    ],
)
def test_a_change_of_a_struct_is_checked_by_name_and_type(tmp_path, change, said):
    config = f"[mypy]\nplugins = {package.PROJECT / 'supply' / 'mypy_plugin.py'}\n"
    (tmp_path / "mypy.ini").write_text(config, "utf-8")
    (tmp_path / "program.py").write_text(PROGRAM.format(change=change), "utf-8")
    options = ["--config-file", str(tmp_path / "mypy.ini"), f"--cache-dir={tmp_path / 'cache'}"]

    assert said in api.run([*options, str(tmp_path / "program.py")])[0]
