"""Every licence of what is shipped and of what builds it; what is shipped must be on a list.

Written to docs/licences.md by `make licences`. Names are SPDX's, or the classifier of the package
index where a package has nothing more exact.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from infra import package
from supply import bill

PAGE = package.PROJECT / "docs" / "licences.md"
APACHE = "License :: OSI Approved :: Apache Software License"
BSD = "License :: OSI Approved :: BSD License"
NOTICE = "asks for its notice, which is shipped beside it"
# What may be in an asset, and why. Nothing here asks that code of one's own be given away.
SHIPPED: Mapping[str, str] = {
    "0BSD": "asks for nothing",
    "APAFML": f"font metrics; {NOTICE}",
    "Apache-2.0": f"the project's own; {NOTICE}",
    "BSD-2-Clause": NOTICE,
    "BSD-3-Clause": NOTICE,
    "BSD-3-Clause-Open-MPI": NOTICE,
    "Bitstream-Vera": f"fonts; {NOTICE}",
    "CC0-1.0": "asks for nothing",
    "FTL": f"FreeType's; {NOTICE}",
    "GPL-2.0-or-later": "the other choice beside FreeType's own, which is the one taken",
    "GCC-exception-3.1": "lets what GCC links in go with anything",
    "GPL-3.0-or-later": "libgfortran inside OpenBLAS alone, always with GCC's exception",
    "IJG": NOTICE,
    APACHE: f"of version 2.0, by the package's licence file; {NOTICE}",
    BSD: f"of three clauses, by the package's licence file; {NOTICE}",
    "LicenseRef-BaKoMa": f"fonts, unchanged and not sold; {NOTICE}",
    "LicenseRef-Yorick": f"colour maps, in the manner of BSD; {NOTICE}",
    "MIT": NOTICE,
    "MIT-0": "asks for nothing",
    "MIT-CMU": NOTICE,
    "MIT-Modern-Variant": NOTICE,
    "MPL-2.0": "five certificates, unchanged; it asks for the source of what was changed",
    "OFL-1.1": f"fonts; {NOTICE}",
    "PSF-2.0": NOTICE,
    "Python-2.0": f"matplotlib's own, which the index files under Python's; {NOTICE}",
    "Qhull": NOTICE,
    "X11": NOTICE,
    "Zlib": "asks for nothing of a binary",
    "libpng-2.0": "asks for nothing of a binary",
    "libtiff": NOTICE,
}
WORDS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


def names_of(component: Mapping[str, Any]) -> list[str]:
    """The licences of a component of a bill, each by itself: `A OR B` is two.

    Whoever takes one of a choice takes it from a list that holds both.
    """
    names: set[str] = set()
    for entry in component.get("licenses", []):
        if "expression" in entry:
            names.update(filter(None, (part.strip() for part in WORDS.split(entry["expression"]))))
        else:
            names.add(entry["license"].get("id") or entry["license"]["name"])
    return sorted(names)


def strangers(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each component with a licence that may not be shipped, or with none."""
    known = set(SHIPPED)
    return [
        f"{each['name']} {each.get('version', '')}: {', '.join(names) or 'no licence'}"
        for each in components
        for names in [names_of(each)]
        if not names or not known.issuperset(names)
    ]


def of_shipped(bills: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of docs/licences.md on what is shipped, from the bill of each asset."""
    yield "# Licences"
    yield ""
    yield "Made by `make licences` from what each package says of itself (`cyclonedx-py`). Tests"
    yield "hold what is shipped against the list of what may be, and this page against both."
    for asset, bill_of_it in bills.items():
        yield ""
        yield f"## Shipped in the asset of `{asset}`"
        yield ""
        yield "| what | version | licence |"
        yield "|---|---|---|"
        for each in bill_of_it["components"]:
            inside, part, _ = each["bom-ref"].partition("#")
            where = f"inside {inside}" if part else each["version"]
            yield f"| {each['name']} | {where} | {_told(each)} |"
    yield ""
    yield "## What may be shipped, and why"
    yield ""
    yield "| licence | why |"
    yield "|---|---|"
    for name, why in sorted(SHIPPED.items()):
        yield f"| {name} | {why} |"


def of_tools(components: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines on what builds, tests and deploys it, from the bill of this environment."""
    yield ""
    yield "## What builds, tests and deploys it"
    yield ""
    yield "None of it is shipped. Versions and hashes are in `requirements.txt`. CDK's command line"
    yield "(npm, `local/cdk_cli`) is Apache-2.0 and carries its parts' licences itself."
    yield ""
    yield "| licence | packages |"
    yield "|---|---|"
    found = defaultdict(list)
    for each in components:
        found[", ".join(names_of(each)) or "none told"].append(each["name"])
    for name, packages in sorted(found.items()):
        yield f"| {name} | {', '.join(sorted(packages, key=str.lower))} |"


def _told(component: Mapping[str, Any]) -> str:
    return ", ".join(
        entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        for entry in component["licenses"]
    )


def write(path: Path = PAGE) -> None:
    """Writes the page."""
    bills = {asset: bill.bill(asset) for asset in bill.ASSETS}
    lines = [*of_shipped(bills), *of_tools(bill.packages_here()["components"])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
