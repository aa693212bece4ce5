"""
Archives that somebody uploads, which may be broken or hostile, and our own, which hold a package in the ODB.

An archive is looked at whole before the first file of it is unpacked; nothing is written to disk here.
"""

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zato.common.errors import BadRequest, PayloadTooLarge

_MB = 1024 * 1024
_LOCAL = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_BYTES = 22
_ZIP64_LOCATOR = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_LONGEST_COMMENT = 65535
_LOCAL_BYTES = 30
# Of the archive's index, for each file: what names take on average is far below.
_INDEX_BYTES_PER_FILE = 512
_ENCRYPTED = 0x1 | 0x40
_UNIX = 3
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_PATH = 400
_MAX_NAME = 200
_DRIVE = re.compile(r"[A-Za-z]:")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """
    Args:
        max_bytes: Of what is uploaded.
        max_unpacked_bytes: Of all files of a package together.
        max_ratio: How many times as large an archive may become when it is unpacked, from the first megabyte on.
    """

    max_bytes: int = 32 * _MB
    max_unpacked_bytes: int = 128 * _MB
    max_files: int = 5000
    max_ratio: int = 100


def read_archive(name: str, data: bytes, limits: PackageLimits) -> dict[str, bytes]:
    """
    Return the files of an archive that somebody uploaded, by their paths.

    Args:
        name: What the archive is called, for messages.

    Raises:
        BadRequest: It is damaged, or a path or an entry is none that a package may have.
        PayloadTooLarge: It has too many files, or they are too large.
    """
    check_size(name, data, limits)
    _check_index(name, data, limits)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(name, data, entries, limits)
            return {entry.filename: _read(name, archive, entry) for entry in entries if not entry.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{name} is damaged, or no zip archive that can be read: {exc}") from exc


def check_size(name: str, data: bytes, limits: PackageLimits) -> None:
    """Raise PayloadTooLarge for more than may be uploaded."""
    if len(data) > limits.max_bytes:
        raise PayloadTooLarge(
            f"{name} has {_mb(len(data))}; at most {_mb(limits.max_bytes)} are taken: 'package_max_bytes' in the settings"
        )


def check_files(name: str, sizes: Mapping[str, int], limits: PackageLimits) -> None:
    """
    Check paths and sizes of the files that are to be a package.

    Raises as `read_archive` does.
    """
    if len(sizes) > limits.max_files:
        raise PayloadTooLarge(
            f"{name} has {len(sizes)} files; at most {limits.max_files} are taken: 'package_max_files' in the settings"
        )
    if sum(sizes.values()) > limits.max_unpacked_bytes:
        raise PayloadTooLarge(
            f"{name} has {_mb(sum(sizes.values()))} when it is unpacked; at most {_mb(limits.max_unpacked_bytes)} are taken: "
            "'package_max_unpacked_bytes' in the settings"
        )
    for path in sizes:
        check_path(name, path)
    _check_twins(name, sizes)


def check_path(name: str, path: str) -> None:
    """Raise BadRequest for a path that leaves its folder, or that is none on every system."""
    if path.startswith("/") or _DRIVE.match(path):
        raise BadRequest(f"{name}: the path {path!r:.120} is absolute; files of a package lie below its own folder")
    if "\\" in path:
        raise BadRequest(f"{name}: the path {path!r:.120} has a backslash: folders are separated by '/'")
    if not path.isprintable():
        raise BadRequest(f"{name}: the path {path!r:.120} has characters that no path has")
    parts = path.split("/")
    if ".." in parts:
        raise BadRequest(f"{name}: the path {path!r:.120} leaves the package's folder")
    if "" in parts or "." in parts:
        raise BadRequest(f"{name}: the path {path!r:.120} has a part that is empty or '.'")
    if len(path.encode()) > _MAX_PATH or max(len(part.encode()) for part in parts) > _MAX_NAME:
        raise BadRequest(
            f"{name}: the path {path!r:.60}… is too long: {_MAX_PATH} bytes are possible, and {_MAX_NAME} for each part of it"
        )


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as an archive: the same bytes for the same files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[path])
    return made.getvalue()


def unpack(source: bytes) -> dict[str, bytes]:
    """Return the files of an archive that `pack` made; none of an empty one."""
    if not source:
        return {}
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist())}


def names_in(source: bytes) -> list[str]:
    """Return the paths in an archive that `pack` made."""
    if not source:
        return []
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        return sorted(archive.namelist())


def _check_index(name: str, data: bytes, limits: PackageLimits) -> None:
    """Look at the archive's end before anything reads its index, which may be as large as the whole archive."""
    at = data.rfind(_END, max(0, len(data) - _END_BYTES - _LONGEST_COMMENT))
    if not data.startswith((_LOCAL, _END)) or at < 0 or len(data) - at < _END_BYTES:
        raise BadRequest(f"{name} is no zip archive, or not all of one")
    if data[max(0, at - _ZIP64_LOCATOR_BYTES) :].startswith(_ZIP64_LOCATOR):
        raise BadRequest(f"{name} is a ZIP64 archive, as only those are that have more than 4 GB or 65,535 files")
    disk, index_disk, here, total, index_bytes, _, comment = struct.unpack("<4x4H2LH", data[at : at + _END_BYTES])
    if (disk, index_disk) != (0, 0) or here != total:
        raise BadRequest(f"{name} is a part of an archive that was split up")
    if at + _END_BYTES + comment != len(data):
        raise BadRequest(f"{name} has {len(data) - at - _END_BYTES - comment} bytes after its end, or lacks some")
    if total > limits.max_files or index_bytes > limits.max_files * _INDEX_BYTES_PER_FILE:
        raise PayloadTooLarge(
            f"{name} has {total} entries; at most {limits.max_files} are taken: 'package_max_files' in the settings"
        )


def _check_entries(name: str, data: bytes, entries: Iterable[zipfile.ZipInfo], limits: PackageLimits) -> None:
    entries = list(entries)
    for entry in entries:
        _check_entry(name, entry)
    files = [entry for entry in entries if not entry.is_dir()]
    seen: set[str] = set()
    for entry in files:
        if entry.filename in seen:
            raise BadRequest(f"{name} has {entry.filename!r:.120} twice")
        seen.add(entry.filename)
    for entry in entries:
        if entry.is_dir():
            check_path(name, entry.filename.removesuffix("/"))
    check_files(name, {entry.filename: entry.file_size for entry in files}, limits)
    unpacked = sum(entry.file_size for entry in files)
    if unpacked > _MB and unpacked > limits.max_ratio * len(data):
        raise PayloadTooLarge(
            f"{name} becomes {unpacked // len(data)} times as large when it is unpacked; "
            f"more than {limits.max_ratio} times is taken for a trap"
        )
    _check_overlaps(name, entries)


def _check_entry(name: str, entry: zipfile.ZipInfo) -> None:
    path = entry.filename
    if not path:
        raise BadRequest(f"{name} has an entry without a path")
    if entry.orig_filename != path:
        raise BadRequest(f"{name}: the path {entry.orig_filename!r:.120} has characters that no path has")
    if entry.flag_bits & _ENCRYPTED:
        raise BadRequest(f"{name}: {path!r:.120} is encrypted")
    if entry.compress_type not in _METHODS:
        raise BadRequest(
            f"{name}: {path!r:.120} is compressed in a way that is not taken: use 'deflate', as zip does by itself"
        )
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == _UNIX else 0
    if stat.S_ISLNK(kind):
        raise BadRequest(f"{name}: {path!r:.120} is a symbolic link; put the file itself there")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR and not entry.is_dir()):
        raise BadRequest(f"{name}: {path!r:.120} is neither a file nor a folder")
    if entry.is_dir() and entry.file_size:
        raise BadRequest(f"{name}: the folder {path!r:.120} has contents of its own")


def _check_twins(name: str, paths: Iterable[str]) -> None:
    """What some systems take for one file must not be two, and no file can be a folder too."""
    paths = set(paths)
    seen: dict[str, str] = {}
    for path in paths:
        key = unicodedata.normalize("NFC", path)
        if key in seen:
            raise BadRequest(f"{name} has {path!r:.120} twice: once written in another way")
        seen[key] = path
        parts = path.split("/")
        for count in range(1, len(parts)):
            if (folder := "/".join(parts[:count])) in paths:
                raise BadRequest(f"{name}: {folder!r:.120} is a file and a folder")


def _check_overlaps(name: str, entries: Iterable[zipfile.ZipInfo]) -> None:
    """Files that share their compressed bytes are how a small archive becomes an endless one."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise BadRequest(f"{name}: {entry.filename!r:.120} lies where another entry is")
        end = entry.header_offset + _LOCAL_BYTES + len(entry.filename.encode(errors="replace")) + entry.compress_size


def _read(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        content = file.read(entry.file_size)
        # Reading on to the end is what compares the checksum.
        if file.read(1) or len(content) != entry.file_size:
            raise BadRequest(f"{name}: {entry.filename!r:.120} is not as large as the archive says")
    return content


def _mb(count: int) -> str:
    return f"{count / _MB:.1f} MB" if count >= _MB else f"{count} bytes"
