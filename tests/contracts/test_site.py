"""The site of the documentation builds where every link leads somewhere, and only there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / name for name in ("docs", "examples", "bench"))
PAGES = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))]
SOUND = """# Start

## An `anchor_here`

[a page](docs/cli.md), [a heading](#an-anchor_here), [one elsewhere](docs/cli.md#options--more),
[a policy](examples/some.json), [a folder](docs/adr/), ![a picture](docs/slack.png)
"""
FAULTS = {
    "a page": "[x](docs/no-page.md)",
    "a file": "[x](tests/no_test.py)",
    "a folder": "[x](no-folder/)",
    "a heading": "[x](#no-heading)",
    "a heading elsewhere": "[x](docs/cli.md#no-heading-there)",
    "a picture": "![x](docs/no-picture.png)",
}


def build(folder: Path, start: str) -> subprocess.CompletedProcess[str]:
    """Builds the real site's frame, as `make site` does, around pages that are all but empty."""
    for page in PAGES:
        path = folder / page.relative_to(ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# A page\n\n## Options & more\n")
    for name in ("docs/conf.py", "docs/site/site.css", "docs/slack.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "examples" / "some.json").write_text('{"mode": "observe"}')
    (folder / "README.md").write_text(start)
    (options,) = re.findall(r"sphinx-build (.*)", (ROOT / "Makefile").read_text())
    command = [sys.executable, "-m", "sphinx", *options.split()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_sound_one_is_built_and_its_links_lead_where_the_files_stand(tmp_path):
    done = build(tmp_path, SOUND)
    text = (tmp_path / "build" / "site" / "README.html").read_text()

    assert (done.returncode, done.stderr) == (0, "")
    assert 'href="docs/cli.html#options-more"' in text
    assert 'href="#an-anchor-here"' in text
    assert 'href="examples/some.html"' in text
    assert 'href="docs/adr/README.html"' in text
    assert "url=README.html" in (tmp_path / "build" / "site" / "index.html").read_text()


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    (folder / "docs").mkdir()
    (folder / "docs" / "lost.md").write_text("# Nothing names it\n")
    return build(folder, SOUND + "\n\n".join(FAULTS.values()))


def test_a_broken_one_is_refused(broken):
    assert broken.returncode != 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_dead_link_is_named(broken, name):
    (target,) = re.findall(r"no[-_][\w-]+", FAULTS[name])

    assert re.search(rf"README\.md:\d+: WARNING: .*{target}\b", broken.stderr), broken.stderr


def test_a_page_that_nothing_names_is_named(broken):
    assert re.search(r"lost\.md: WARNING: document isn't included in any toctree", broken.stderr)
