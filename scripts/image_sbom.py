"""
List what is in an image: `python scripts/image_sbom.py IMAGE NAME VERSION FILE`, for `scripts/release`.

The list (SBOM, CycloneDX) has what the image itself says: Debian's packages, and Python's with their releases, ours included.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_PYTHON = "import importlib.metadata as m, json; print(json.dumps([[each.name, each.version] for each in m.distributions()]))"
_DEBIAN = "${Package} ${Version} ${Architecture}\\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("image", "name", "version"):
        parser.add_argument(name)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    components = [*_python_packages(options.image), *_debian_packages(options.image)]
    document = Bom(components=components)
    image = Component(type=ComponentType.CONTAINER, name=options.name, version=options.version, bom_ref=options.name)
    document.metadata.component = image
    document.register_dependency(image, components)
    options.file.write_text(JsonV1Dot6(document).output_as_string(indent=2) + "\n")
    return 0


def _python_packages(image: str) -> Iterator[Component]:
    for name, version in json.loads(_said_by(image, "python", "-P", "-c", _PYTHON)):
        yield _component(name, version, PackageURL("pypi", None, name, version))


def _debian_packages(image: str) -> Iterator[Component]:
    for line in _said_by(image, "dpkg-query", "--show", f"--showformat={_DEBIAN}").splitlines():
        name, version, architecture = line.split()
        yield _component(name, version, PackageURL("deb", "debian", name, version, {"arch": architecture}))


def _component(name: str, version: str, url: PackageURL) -> Component:
    return Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=url.to_string())


def _said_by(image: str, program: str, *arguments: str) -> str:
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
