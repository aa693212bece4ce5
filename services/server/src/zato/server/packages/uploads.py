"""
What somebody uploads, by the name of its file: a Python file, a zip archive, or a wheel.

A folder is sent as an archive (`zato.server.packages.folders`), so all that is not a single file comes in here as one.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from zato.common.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from zato.server.packages.archives import PackageLimits, pack, read_archive
from zato.server.packages.package import modules_in

# A file that is no package has always had a limit of its own.
_MAX_SOURCE_BYTES = 5 * 1024 * 1024
_FILE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.py")
_PACKAGE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# What tools and systems leave behind, which nobody means to deploy.
_LITTER = frozenset({"__pycache__", "__MACOSX", ".DS_Store", ".git", ".hg", ".svn", ".venv", ".tox", ".idea", ".vscode"})
_LITTER_SUFFIXES = (".pyc", ".pyo")
_SOURCES = "src"
_PROJECT = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
# What a project has beside what it is about.
_NOT_DEPLOYED = frozenset({"setup.py", "conftest.py", "noxfile.py", "tests", "test", "build", "dist"})


@dataclass(frozen=True, slots=True)
class Upload:
    """
    Args:
        name: What it is deployed as: "currency.py", or "orders" for a package.
        source: As `zato.server.packages.package.Package` has it.
    """

    name: str
    source: bytes


def read_upload(file_name: str, data: bytes, limits: PackageLimits) -> Upload:
    """
    Return what is to be deployed, checked but not imported.

    Raises:
        BadRequest: It is damaged, or no package; says what of it is wrong.
        PayloadTooLarge: It is, or it becomes so when it is unpacked.
        UnsupportedMediaType: It is no Python file, zip archive or wheel.
    """
    name = name_of(file_name)
    if name.endswith(".py"):
        if len(data) > _MAX_SOURCE_BYTES:
            raise PayloadTooLarge(f"'{file_name}' has {len(data)} bytes; a file of services has at most {_MAX_SOURCE_BYTES}")
        return Upload(name, data)
    files = read_archive(file_name, data, limits)
    if file_name.lower().endswith(".whl"):
        from zato.server.packages.wheels import check_wheel

        check_wheel(file_name, files)
    else:
        files = without_litter(files)
        files = as_imported(name, files)
    _check_modules(file_name, files)
    return Upload(name, pack(files))


def name_of(file_name: str) -> str:
    """
    Return what a file is deployed as: "currency.py" as itself, "orders-api.zip" as "orders_api", a wheel as what it is of.

    Raises:
        BadRequest: No module could be called so.
        UnsupportedMediaType: It is no Python file, zip archive or wheel.
    """
    suffix = PurePosixPath(file_name).suffix.lower()
    if suffix == ".py":
        if not _FILE_NAME.fullmatch(file_name):
            raise BadRequest(
                f"'{file_name:.120}' is no name for a file of services: it takes letters, digits and '_', and ends in .py"
            )
        return file_name
    if suffix == ".whl":
        from zato.server.packages.wheels import parse_wheel_name

        return check_package_name(parse_wheel_name(file_name).name)
    if suffix == ".zip":
        return check_package_name(re.sub(r"[-.]", "_", file_name[: -len(suffix)]))
    raise UnsupportedMediaType(
        f"'{file_name:.120}' cannot be deployed: it has to be a Python file (.py), a zip archive (.zip), or a wheel (.whl)"
    )


def check_package_name(name: str) -> str:
    """Return the name of a package. Raises BadRequest when nothing can be called so."""
    if not _PACKAGE_NAME.fullmatch(name):
        raise BadRequest(f"'{name:.120}' is no name for a package: it takes letters, digits and '_', and begins with no digit")
    return name


def deployed_name(name: str) -> str:
    """Return the name of what is deployed, a file or a package. Raises BadRequest when nothing can be called so."""
    return name_of(name) if name.endswith(".py") else check_package_name(name)


def is_litter(path: PurePosixPath) -> bool:
    """Whether a path is of what tools leave behind."""
    return any(part in _LITTER for part in path.parts) or path.name.endswith(_LITTER_SUFFIXES)


def without_litter(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not is_litter(PurePosixPath(path))}


def as_imported(name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """
    Return files by the paths that they are imported by.

    An archive, or a folder, may be a Python package itself (it has an __init__.py), hold modules and packages, hold all
    of it in one folder as archives of repositories do, or in src/ as projects do.
    """
    files = dict(files)
    while True:
        if not _PROJECT.isdisjoint(files):
            files = {path: content for path, content in files.items() if path.partition("/")[0] not in _NOT_DEPLOYED}
        if "__init__.py" in files:
            return {f"{name}/{path}": content for path, content in files.items()}
        if any("/" not in path and path.endswith(".py") for path in files):
            return files
        folders = {path.partition("/")[0] for path in files if "/" in path}
        inner = _SOURCES if _SOURCES in folders else next(iter(folders)) if len(folders) == 1 else ""
        if not inner or f"{inner}/__init__.py" in files:
            return files
        files = {path.removeprefix(f"{inner}/"): content for path, content in files.items() if path.startswith(f"{inner}/")}


def _check_modules(file_name: str, files: Mapping[str, bytes]) -> None:
    modules = modules_in(files)
    if not any(modules.values()):
        raise BadRequest(f"{file_name} has no Python module that could be imported")
    top_level = {name.partition(".")[0] for name in modules}
    if taken := sorted(top_level & (sys.stdlib_module_names | {"zato"})):
        raise BadRequest(f"{file_name}: '{taken[0]}' is a module of Python or of the platform: call yours differently")
