"""Bills of materials in CycloneDX 1.6: one for each set of pins, and what is beside packages.

    build/sbom/respond.cdx.json    `respond`, `watch` and `interact`
    build/sbom/notify.cdx.json     `notify`

`cyclonedx-py` reads the packages from the folder that is shipped. What no package's metadata tells
is added: the SDK's data, the certificates, and the libraries that wheels carry inside. Nothing in a
bill says when, where or by whom it was made, so the same pins give the same bytes.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra import package

FOLDER = package.BUILD / "sbom"
ASSETS: Mapping[str, Path] = {
    "respond": package.REQUIREMENTS,
    "notify": package.NOTIFY_REQUIREMENTS,
}
ROOT = "root-component"


class BillError(RuntimeError):
    """A bill could not be made; the text holds what the tool said, or what is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A library that a wheel carries inside, as its licence file tells.

    Attributes:
        package: whose wheel.
        license: an SPDX expression.
    """

    package: str
    license: str


# Files in `<package>.libs`, by what their names begin with. Sources: numpy's LICENSE.txt ("also
# bundles the following software"), pillow's LICENSE and its own bill (dist-info/sboms). libgfortran
# is linked into OpenBLAS; the exception of GCC lets it go with anything.
LIBRARIES: Mapping[str, Inside] = {
    "libscipy_openblas64_": Inside(
        package="numpy",
        license="BSD-3-Clause AND BSD-3-Clause-Open-MPI"
        " AND GPL-3.0-or-later WITH GCC-exception-3.1",
    ),
    "libXau": Inside(package="pillow", license="X11"),
    "libavif": Inside(package="pillow", license="BSD-2-Clause"),
    "libbrotlicommon": Inside(package="pillow", license="MIT"),
    "libbrotlidec": Inside(package="pillow", license="MIT"),
    "libfreetype": Inside(package="pillow", license="FTL"),
    "libharfbuzz": Inside(package="pillow", license="MIT"),
    "libjpeg": Inside(package="pillow", license="IJG AND BSD-3-Clause"),
    "liblcms2": Inside(package="pillow", license="MIT"),
    "liblzma": Inside(package="pillow", license="0BSD"),
    "libopenjp2": Inside(package="pillow", license="BSD-2-Clause"),
    "libpng16": Inside(package="pillow", license="libpng-2.0"),
    "libsharpyuv": Inside(package="pillow", license="BSD-3-Clause"),
    "libtiff": Inside(package="pillow", license="libtiff"),
    "libwebp": Inside(package="pillow", license="BSD-3-Clause"),
    "libwebpdemux": Inside(package="pillow", license="BSD-3-Clause"),
    "libwebpmux": Inside(package="pillow", license="BSD-3-Clause"),
    "libxcb": Inside(package="pillow", license="X11"),
    "libzstd": Inside(package="pillow", license="BSD-3-Clause"),
}
# matplotlib lists its parts in its licence file, each with its name, files and licence. Two have no
# licence of SPDX's list, and two parts are not in the list.
LISTED = re.compile(r"^Name: (.+)\nFiles: (.+(?:\n .+)*?)\n(?:.+\n)*?License: ?(.*)$", re.MULTILINE)
NAMED_OTHERWISE = {"BaKoMa Fonts Licence": "LicenseRef-BaKoMa", "": "LicenseRef-Yorick"}
UNLISTED: Mapping[str, Inside] = {
    "DejaVu fonts": Inside(package="matplotlib", license="Bitstream-Vera"),
    "metrics of the PDF core fonts": Inside(package="matplotlib", license="APAFML"),
}


def bill(asset: str) -> dict[str, Any]:
    """The bill of one asset of `ASSETS`, as CycloneDX 1.6 has it.

    Raises:
        BillError: the tool failed, or a wheel carries a library that `LIBRARIES` does not know.
        PackageError: a dependency is not in the cache and cannot be installed.
    """
    folder = package.dependencies(ASSETS[asset])
    made = packages_in(folder)
    components: list[dict[str, Any]] = made["components"]
    links: dict[str, list[str]] = {
        each["ref"]: each.get("dependsOn", []) for each in made["dependencies"]
    }
    refs = {_normal(each["name"]): each["bom-ref"] for each in components}
    # Whatever no other package asked for is here because this one did: notify's own group.
    asked_for = {ref for wanted in links.values() for ref in wanted}
    links[ROOT] += [ref for ref in refs.values() if ref not in asked_for]
    for component, of in _beside(folder):
        components.append(component)
        links[refs.get(of, ROOT)] = [*links.get(refs.get(of, ROOT), []), component["bom-ref"]]
        links[component["bom-ref"]] = []
    made["components"] = sorted(components, key=lambda each: str(each["bom-ref"]))
    made["dependencies"] = [
        {"ref": ref, "dependsOn": sorted(wanted)} if wanted else {"ref": ref}
        for ref, wanted in sorted(links.items())
    ]
    return made


def write(folder: Path = FOLDER) -> list[Path]:
    """Writes the bill of each asset, and says where."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for asset in ASSETS:
        path = folder / f"{asset}.cdx.json"
        path.write_text(json.dumps(bill(asset), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        written.append(path)
    return written


def packages_in(folder: Path) -> dict[str, Any]:
    """The bill of the packages in a folder, as the tool makes it."""
    with tempfile.TemporaryDirectory() as aside:
        # The tool asks an interpreter where it looks: this one looks there and nowhere else.
        venv.create(aside, symlinks=True)
        site = next(Path(aside).glob("lib/python*/site-packages"))
        (site / "shipped.pth").write_text(f"{folder}\n", encoding="utf-8")
        project = package.PROJECT / "pyproject.toml"
        return _told(Path(aside) / "bin" / "python", "--pyproject", str(project))


def packages_here() -> dict[str, Any]:
    """The bill of the environment that this runs in: what builds, tests and deploys."""
    return _told(Path(sys.executable))


def _told(python: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    command += ["--sv", "1.6", "--of", "JSON", *more, str(python)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BillError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _beside(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """What is shipped and is no package, each with the package that it is a part of."""
    botocore = version("botocore")
    yield (
        {
            "bom-ref": f"botocore-data=={botocore}",
            "type": "data",
            "name": "botocore-data",
            "version": botocore,
            "description": "Models of the SDK's services, reduced to what is called.",
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        },
        ROOT,
    )
    yield (
        {
            "bom-ref": "amazon-roots",
            "type": "data",
            "name": "amazon-roots",
            "version": botocore,
            "description": "Five certificates of Mozilla's list, as the SDK carries it.",
            "licenses": [{"license": {"id": "MPL-2.0"}}],
        },
        ROOT,
    )
    for path in sorted(folder.glob("*.libs/*")):
        name = path.name.partition(".so")[0].rpartition("-")[0]
        if name not in LIBRARIES:
            raise BillError(
                f"{path.parent.name}/{path.name} is a library that supply/bill.py does not know;"
                " look its licence up in the package's own, and add it to LIBRARIES"
            )
        yield _part(name, LIBRARIES[name])
    for path in sorted(folder.glob("matplotlib-*.dist-info/LICENSE")):
        yield from (_part(name, inside) for name, inside in UNLISTED.items())
        for name, files, told in LISTED.findall(path.read_text(encoding="utf-8")):
            if not files.startswith("matplotlib/tests"):
                license_ = NAMED_OTHERWISE.get(told.strip(), told.strip())
                yield _part(name, Inside(package="matplotlib", license=license_))


def _part(name: str, inside: Inside) -> tuple[dict[str, Any], str]:
    component = {
        "bom-ref": f"{inside.package}#{name}",
        "type": "library",
        "name": name,
        "description": f"Inside {inside.package}.",
        "licenses": [{"expression": inside.license}],
    }
    return component, inside.package


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


if __name__ == "__main__":
    for each in write():
        print(each.relative_to(package.PROJECT))
