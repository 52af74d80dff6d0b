"""Asks the type checker about what no test notices: `make lint` would refuse it as well."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from mypy import api

from tests.mutation.mutants import PRODUCT, ROOT

# Not whether a line can be reached: `x and False` only stands for another fault.
OPTIONS = ["--strict", "--no-warn-unreachable", "--explicit-package-bases", "--namespace-packages"]


@contextlib.contextmanager
def type_checker():
    """Says of a mutant whether it is refused; a copy of the product is kept for it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, PRODUCT.name)
        shutil.copytree(PRODUCT, copy, ignore=shutil.ignore_patterns("__pycache__"))
        plugin = ROOT / "supply/mypy_plugin.py"
        Path(folder, "mypy.ini").write_text(f"[mypy]\nplugins = {plugin}\n", encoding="utf-8")

        def ask(*command):
            """What is wrong; nothing where all is well."""
            said, _, code = api.run_dmypy(["--status-file", f"{folder}/status", *command])
            if code not in {0, 1}:
                raise SystemExit(f"the type checker ended with exit code {code}: {said}")
            return said if code else ""

        def begin():
            with contextlib.chdir(folder):
                if wrong := ask("run", "--", *OPTIONS, PRODUCT.name):
                    raise SystemExit(wrong)

        def refuses(mutant):
            place = copy / mutant.path.relative_to(PRODUCT)
            before = place.read_text(encoding="utf-8")
            place.write_text(mutant.source, encoding="utf-8")
            try:
                refused = ask("recheck")
            finally:
                place.write_text(before, encoding="utf-8")
            if refused and ask("recheck"):
                # It goes on complaining of what is mended: from here on it would refuse everything.
                ask("stop")
                begin()
            return bool(refused)

        begin()
        try:
            yield refuses
        finally:
            ask("stop")
