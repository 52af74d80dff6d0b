"""The site, as `make site` builds it from the Markdown of the repository.

Each page stands where its file stands, so a link that works on a code-hosting site works here. A
link to another file leads to a page with its text. A dead link or anchor, or a page that nothing
below names, ends the build.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.parsers import Parser
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parent.parent
LISTED = (".json", ".py")

# Under each page what comes below it, by caption. It stands here so that no page shows it twice.
NAVIGATION: dict[str, dict[str, tuple[str, ...]]] = {
    "README": {
        "Begin": ("What it is <self>", "docs/first-week", "examples/README"),
        "Use": ("docs/cli", "docs/backtest", "docs/figures", "docs/growth", "docs/configuration"),
        "When it acts": ("docs/runbook", "docs/runbooks"),
        "How it decides": (
            "docs/detection",
            "docs/architecture",
            "docs/adr/README",
            "SECURITY",
            "docs/fuzzing",
            "docs/faults",
            "docs/parts",
            "docs/conformance",
        ),
        "The project": (
            "CONTRIBUTING",
            "docs/mutation",
            "docs/supply-chain",
            "docs/licences",
            "bench/README",
            "CHANGELOG",
        ),
    },
    "docs/adr/README": {"": ("0*",)},
    "bench/README": {
        "": (
            "detection/README",
            "detection/RESULTS",
            "hot_path/README",
            "hot_path/RESULTS",
            "storm/README",
            "growth/README",
            "cost/README",
        )
    },
    "examples/README": {"": ("*/README",)},
}


def pages() -> list[Path]:
    """Every Markdown file that is a page."""
    folders = (ROOT / name for name in ("docs", "examples", "bench"))
    return [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]


def listings() -> Iterator[Path]:
    """Every other file with text that a page links to."""
    for page in pages():
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            path = (page.parent / link).resolve()
            if path.suffix in LISTED and path.is_file():
                yield path


class Listing(Parser):
    """A page with the text of a file. It stands in no navigation, and no search finds it."""

    supported = ("listing",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Fill the page."""
        environment = document.settings.env
        page = environment.docname
        path = environment.doc2path(page).relative_to(ROOT)
        environment.metadata[page] |= {"orphan": True, "nosearch": True}
        section = nodes.section(ids=[nodes.make_id(path.as_posix())])
        section += nodes.title(text=path.as_posix())
        section += nodes.literal_block(inputstring, inputstring, language=path.suffix[1:])
        document += section


class Folders(SphinxTransform):
    """A link to a folder leads to its README, as on a code-hosting site."""

    default_priority = 500

    def apply(self) -> None:
        """Point each one there."""
        for link in self.document.findall(pending_xref):
            if link["reftype"] == "myst" and link["reftarget"].endswith("/"):
                _, path = self.env.relfn2path(link["reftarget"] + "README.md", self.env.docname)
                link["refdomain"], link["reftargetid"] = "doc", None
                link["reftarget"] = self.env.path2doc(path) or path


def _navigate(_app: Sphinx, page: str, source: list[str]) -> None:
    for caption, below in NAVIGATION.get(page, {}).items():
        options = f":hidden:\n:glob:\n:caption: {caption}\n" if caption else ":hidden:\n:glob:\n"
        source[0] += "\n```{toctree}\n" + options + "\n" + "\n".join(below) + "\n```\n"


def _begin(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        text = '<meta http-equiv="refresh" content="0; url=README.html">\n'
        (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of all this."""
    app.add_source_parser(Listing)
    app.add_transform(Folders)
    app.connect("source-read", _navigate)
    app.connect("build-finished", _begin)


project = "Rollback responder"
extensions = ["myst_parser"]
myst_heading_anchors = 4
root_doc = "README"
source_suffix = {".md": "markdown"} | dict.fromkeys(LISTED, "listing")
include_patterns = [path.relative_to(ROOT).as_posix() for path in {*pages(), *listings()}]
exclude_patterns = [".*", "build", "cdk.out"]
smartquotes = False  # they make one dash of the two before an option
html_theme = "furo"
html_title = project
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False
