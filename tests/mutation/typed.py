"""Asks the type checker about what no test notices: `make lint` would refuse it as well."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from mypy import api

from tests.mutation.mutants import PRODUCT

# Not whether a line can be reached: `x and False` only stands for another fault.
OPTIONS = ["--strict", "--no-warn-unreachable", "--explicit-package-bases", "--namespace-packages"]


@contextlib.contextmanager
def type_checker():
    """Says of a mutant whether it is refused; a copy of the product is kept for it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, PRODUCT.name)
        shutil.copytree(PRODUCT, copy, ignore=shutil.ignore_patterns("__pycache__"))
        Path(folder, "mypy.ini").write_text("[mypy]\n", encoding="utf-8")
        status = ["--status-file", f"{folder}/status"]
        with contextlib.chdir(folder):
            said, _, code = api.run_dmypy([*status, "run", "--", *OPTIONS, PRODUCT.name])
        if code:
            raise SystemExit(said)

        def refuses(mutant):
            place = copy / mutant.path.relative_to(PRODUCT)
            before = place.read_text(encoding="utf-8")
            place.write_text(mutant.source, encoding="utf-8")
            try:
                _, _, code = api.run_dmypy([*status, "recheck"])
                return code != 0
            finally:
                place.write_text(before, encoding="utf-8")

        try:
            yield refuses
        finally:
            api.run_dmypy([*status, "stop"])
