"""Golden outputs: what a command printed when somebody last looked at it and found it good.

`GOLDEN=write pytest ...` writes them anew; the diff is then for a reviewer.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden_outputs"


def check(name, text):
    """Compares with the golden output of that name."""
    file = FOLDER / name
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.exists(), f"{name} is new; write it with GOLDEN=write"
    assert text == file.read_text(encoding="utf-8")
