"""A folder with services, made the archive that is uploaded."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from zato.common.errors import BadRequest, NotFound
from zato.server.packages.archives import PackageLimits, check_files, pack
from zato.server.packages.uploads import is_litter


def pack_folder(folder: Path, limits: PackageLimits | None = None) -> bytes:
    """
    Return a folder as an archive. What is hidden, or left behind by tools, stays out.

    Raises:
        BadRequest: It holds a symbolic link, or something that is neither file nor folder, or nothing at all.
        NotFound: It can't be read.
        PayloadTooLarge: It has too many files, or they are too large.
    """
    try:
        paths = {str(PurePosixPath(path.relative_to(folder))): path for path in files_of(folder)}
        check_files(folder.name, {name: path.stat().st_size for name, path in paths.items()}, limits or PackageLimits())
        files = {name: path.read_bytes() for name, path in paths.items()}
    except OSError as exc:
        raise NotFound(f"{exc.filename or folder} cannot be read: {exc.strerror}") from exc
    if not files:
        raise BadRequest(f"The folder {folder} has no files")
    return pack(files)


def files_of(folder: Path) -> Iterator[Path]:
    """
    Return the files of a package in a folder.

    Raises:
        BadRequest: One is a symbolic link, or neither a file nor a folder.
        OSError
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith(".") or is_litter(PurePosixPath(entry.name)):
            continue
        if entry.is_symlink():
            raise BadRequest(f"{entry.path} is a symbolic link; put the file itself there")
        if entry.is_dir():
            yield from files_of(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
        else:
            raise BadRequest(f"{entry.path} is neither a file nor a folder")
