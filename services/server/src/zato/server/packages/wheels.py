"""Wheels: whether one is what it says, and whether it can be deployed as it is, without an installer."""

import base64
import csv
import hashlib
import hmac
import io
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from zato.common.errors import BadRequest

_FORMAT = 1
_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_ALGORITHMS = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class WheelName:
    """`name` is that of the distribution, with "_" for whatever no module can be called."""

    name: str
    version: Version
    tags: frozenset[Tag]


def parse_wheel_name(file_name: str) -> WheelName:
    """Raises BadRequest for a name that no wheel has."""
    try:
        name, version, _, tags = parse_wheel_filename(file_name)
    except (InvalidWheelFilename, InvalidVersion) as exc:
        raise BadRequest(
            f"'{file_name:.120}' is no name of a wheel, e.g. orders-1.2.0-py3-none-any.whl: keep the one it was built under"
        ) from exc
    return WheelName(name.replace("-", "_"), version, frozenset(tags))


def check_wheel(file_name: str, files: Mapping[str, bytes]) -> None:
    """
    Raise BadRequest unless these files are a whole wheel of that name, which runs here.

    Its record has to list each file with its checksum, and nothing else. Wheels with compiled code, or with files that
    an installer has to put somewhere else, are for installers.
    """
    name = parse_wheel_name(file_name)
    if not any(tag.platform == "any" and tag.abi == "none" for tag in name.tags):
        raise BadRequest(f"{file_name} has compiled code: install it on the servers, with pip, and deploy what uses it")
    if name.tags.isdisjoint(sys_tags()):
        wanted = ", ".join(sorted({tag.interpreter for tag in name.tags}))
        raise BadRequest(f"{file_name} is for {wanted}; the servers run Python {platform.python_version()}")
    folder = _info_folder(file_name, files)
    _check_format(file_name, _headers(file_name, files, f"{folder}/WHEEL"))
    _check_metadata(file_name, name, _headers(file_name, files, f"{folder}/METADATA"))
    if placed := sorted(path for path in files if path.partition("/")[0].endswith(".data")):
        raise BadRequest(
            f"{file_name}: '{placed[0]:.120}' is for an installer to put elsewhere: a deployed wheel is used as it is"
        )
    _check_record(file_name, folder, files)


def _info_folder(file_name: str, files: Mapping[str, bytes]) -> str:
    folders = sorted({path.partition("/")[0] for path in files if path.partition("/")[0].endswith(".dist-info")})
    if len(folders) != 1:
        found = "none" if not folders else ", ".join(folders)
        raise BadRequest(f"{file_name}: a wheel has one folder that ends in .dist-info; this one has {found:.200}")
    return folders[0]


def _headers(file_name: str, files: Mapping[str, bytes], path: str) -> Message:
    if path not in files:
        raise BadRequest(f"{file_name} has no {path}: it is no wheel, or not all of one")
    return BytesParser().parsebytes(files[path], headersonly=True)


def _check_format(file_name: str, wheel: Message) -> None:
    version = str(wheel.get("Wheel-Version", ""))
    if version.partition(".")[0] != str(_FORMAT):
        raise BadRequest(f"{file_name} is a wheel of version {version or '(none)':.20}; {_FORMAT}.x is what can be read")
    if str(wheel.get("Root-Is-Purelib", "")).lower() != "true":
        raise BadRequest(
            f"{file_name} says that it has compiled code (Root-Is-Purelib is not true): install it with pip instead"
        )


def _check_metadata(file_name: str, name: WheelName, metadata: Message) -> None:
    said = str(metadata.get("Name", ""))
    if canonicalize_name(said).replace("-", "_") != name.name:
        raise BadRequest(f"{file_name}: its METADATA is of '{said:.120}': a wheel was renamed, or two were mixed up")
    said = str(metadata.get("Version", ""))
    try:
        is_same = Version(said) == name.version
    except InvalidVersion:
        is_same = False
    if not is_same:
        raise BadRequest(f"{file_name}: its METADATA is of version '{said:.60}': a wheel was renamed, or two were mixed up")
    python = str(metadata.get("Requires-Python", ""))
    try:
        runs_here = SpecifierSet(python).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        raise BadRequest(f"{file_name}: its Requires-Python, '{python:.60}', says nothing that can be read") from None
    if not runs_here:
        raise BadRequest(f"{file_name} takes Python {python}; the servers run {platform.python_version()}")


def _check_record(file_name: str, folder: str, files: Mapping[str, bytes]) -> None:
    path = f"{folder}/RECORD"
    if path not in files:
        raise BadRequest(f"{file_name} has no {path}: it is no wheel, or not all of one")
    unsigned = {f"{folder}/{name}" for name in _UNSIGNED}
    recorded: set[str] = set()
    try:
        rows = [row for row in csv.reader(io.StringIO(files[path].decode())) if row]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise BadRequest(f"{file_name}: its RECORD cannot be read: {exc}") from exc
    for row in rows:
        if len(row) != 3:
            raise BadRequest(f"{file_name}: its RECORD has a line that is not path, checksum and size: {','.join(row)!r:.120}")
        name, checksum, size = row
        if name in recorded:
            raise BadRequest(f"{file_name}: its RECORD has {name!r:.120} twice")
        recorded.add(name)
        if name not in files:
            raise BadRequest(f"{file_name} lacks {name!r:.120}, which its RECORD has")
        if name not in unsigned:
            _check_recorded(file_name, name, files[name], checksum, size)
    if unknown := sorted(files.keys() - recorded - unsigned):
        raise BadRequest(f"{file_name}: {unknown[0]!r:.120} is not in its RECORD: the wheel was changed after it was built")


def _check_recorded(file_name: str, path: str, content: bytes, checksum: str, size: str) -> None:
    algorithm, _, wanted = checksum.partition("=")
    if algorithm not in _ALGORITHMS:
        raise BadRequest(f"{file_name}: the RECORD has no checksum of {path!r:.120} by {', '.join(_ALGORITHMS)}")
    got = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(got.encode(), wanted.encode()) or size not in ("", str(len(content))):
        raise BadRequest(f"{file_name}: {path!r:.120} is not what the RECORD says: the wheel was changed after it was built")
