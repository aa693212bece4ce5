"""
The pickup folder: what is put there is deployed, what changes deployed anew, what is deleted undeployed.

It takes Python files, zip archives and wheels, and folders, each of which is a package.
"""

import asyncio
import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePosixPath

from zato.common.cid import new_cid
from zato.common.errors import ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest, DeployResponse
from zato.server.packages.archives import PackageLimits
from zato.server.packages.folders import pack_folder
from zato.server.packages.uploads import is_litter, name_of
from zato.server.sidecar.forward import Workers

log = get_logger(__name__)

_LOOK_EVERY_S = 0.3
# What is deployed is tried first, which has a time limit of its own.
_DEPLOY_S = 120.0
_SERVER_ERROR = 500
_SUFFIXES = (".py", ".zip", ".whl")

# What tells that a file changed: its time of change in nanoseconds, and its size. Of a folder a number made of those of
# all that is in it, and their size together.
_Stamp = tuple[int, int]


class _Result(Enum):
    DEPLOYED = auto()
    # It does not fit the others as they are: with the next one of them it may.
    REFUSED = auto()
    # No file of services, or one that is gone already: nothing will change that.
    SETTLED = auto()
    # Nobody could take it now.
    POSTPONED = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """One look into the folder: the stamp of each file and each folder that may be deployed."""

    stamps: dict[str, _Stamp]

    @classmethod
    def into(cls, folder: Path) -> "Look":
        """Raises OSError when the folder can't be read."""
        stamps: dict[str, _Stamp] = {}
        for entry in folder.iterdir():
            if entry.suffix.lower() in _SUFFIXES:
                if entry.is_file():
                    status = entry.stat()
                    stamps[entry.name] = (status.st_mtime_ns, status.st_size)
            elif not entry.name.startswith(".") and not is_litter(PurePosixPath(entry.name)) and entry.is_dir():
                stamp = _folder_stamp(entry)
                if stamp is not None:
                    stamps[entry.name] = stamp
        return cls(stamps)


def _folder_stamp(folder: Path) -> _Stamp | None:
    """Return the stamp of a folder; None of one without modules, which is no package, or not yet."""
    seen: list[tuple[str, int, int]] = []
    is_package = False
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not is_litter(PurePosixPath(name))]
        for name in (*folders, *files):
            if name in folders or not is_litter(PurePosixPath(name)):
                # One that is gone meanwhile changes its folder's time.
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(os.path.join(path, name))
                    seen.append((os.path.join(path, name), status.st_mtime_ns, 0 if name in folders else status.st_size))
        is_package = is_package or any(name.endswith(".py") for name in files)
    if not is_package:
        return None
    number = int.from_bytes(hashlib.sha256(repr(sorted(seen)).encode()).digest()[:6])
    return number, sum(size for _, _, size in seen)


class Pickup:
    """
    Args:
        state_file: Remembers over restarts which files were deployed from here, so that one that was deleted
            meanwhile is noticed.
    """

    def __init__(
        self,
        folder: Path,
        state_file: Path,
        workers: Workers,
        server: str,
        *,
        undeploy_deleted: bool,
        limits: PackageLimits | None = None,
    ) -> None:
        self._folder = folder
        self._state_file = state_file
        self._workers = workers
        self._actor = f"pickup/{server}"
        self._undeploy_deleted = undeploy_deleted
        self._limits = limits or PackageLimits()
        self._taken: dict[str, _Stamp] = _read_state(state_file)
        self._refused: set[str] = set()
        self._again: set[str] = set()
        self._previous = Look({})
        self._is_reported = False

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once, and do what has changed since the last look asks for."""
        try:
            # Beside the calls that this process forwards: a package may have thousands of files.
            look = await asyncio.to_thread(Look.into, self._folder)
        except OSError as exc:
            # What can't be seen is not deleted: a folder that is unmounted for a moment must undeploy nothing.
            if not self._is_reported:
                log.warning("pickup_folder_not_readable", folder=str(self._folder), error=exc.strerror)
            self._is_reported = True
        else:
            await self._take_up(look, self._previous)
            self._previous = look
            self._is_reported = False

    async def _take_up(self, look: Look, previous: Look) -> None:
        for name, stamp in sorted(look.stamps.items()):
            # One that still changes is being written: the next look will find it still.
            is_still = previous.stamps.get(name) == stamp
            if is_still and (self._taken.get(name) != stamp or name in self._again):
                self._settle(name, stamp, await self._deploy(name))
        if self._undeploy_deleted:
            await self._undeploy(self._taken.keys() - look.stamps.keys() - previous.stamps.keys(), look)

    async def _undeploy(self, gone: set[str], look: Look) -> None:
        # The wheel of a new version has another name than the old one's, and is the same package.
        there = {_deployed_as(name) for name in look.stamps}
        for name in sorted(gone):
            deployed = _deployed_as(name)
            if deployed in there or not deployed:
                self._settle(name, None, _Result.SETTLED)
            else:
                self._settle(name, None, await self._send(DeployRequest(file_name=deployed, undeploy=True)))

    def _settle(self, name: str, stamp: _Stamp | None, result: _Result) -> None:
        if result is _Result.POSTPONED:
            return
        self._remember(name, stamp)
        self._refused.discard(name)
        self._again.discard(name)
        if result is _Result.REFUSED:
            self._refused.add(name)
        elif result is _Result.DEPLOYED:
            self._again |= self._refused
            self._refused.clear()

    async def _deploy(self, name: str) -> _Result:
        try:
            source = await asyncio.to_thread(self._read, name)
        except OSError as exc:
            log.warning("pickup_file_not_readable", file_name=name, error=exc.strerror)
            return _Result.POSTPONED
        except ZatoError as exc:
            log.warning("pickup_refused", file_name=name, reason=exc.message)
            return _Result.SETTLED
        return await self._send(DeployRequest(file_name=_upload_name(name), source=source))

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        return path.read_bytes() if _upload_name(name) == name else pack_folder(path, self._limits)

    async def _send(self, request: DeployRequest) -> _Result:
        cid = new_cid()
        with bind_cid(cid):
            try:
                message = await self._workers.call(
                    "ControlPlane/Deploy", request.SerializeToString(), cid=cid, actor=self._actor, timeout_s=_DEPLOY_S
                )
            except ZatoError as exc:
                if exc.http_status < _SERVER_ERROR:
                    log.warning("pickup_refused", file_name=request.file_name, reason=exc.message)
                    return _Result.SETTLED
                log.warning("pickup_postponed", file_name=request.file_name, reason=exc.message)
                return _Result.POSTPONED
            response = DeployResponse.FromString(message)
            for reason in {worker.reason for worker in response.workers if not worker.is_ok}:
                log.warning("pickup_refused", file_name=request.file_name, version=response.version, reason=reason)
                return _Result.REFUSED
            log.info("picked_up", file_name=request.file_name, version=response.version, undeploy=request.undeploy)
        return _Result.DEPLOYED

    def _remember(self, name: str, stamp: _Stamp | None) -> None:
        if stamp is None:
            self._taken.pop(name, None)
        else:
            self._taken[name] = stamp
        temporary = self._state_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._taken))
        temporary.replace(self._state_file)


def _upload_name(name: str) -> str:
    """Return what is sent of a file, or folder, of that name."""
    return name if name.lower().endswith(_SUFFIXES) else f"{name}.zip"


def _deployed_as(name: str) -> str:
    """Return what is deployed of a file, or folder, of that name; "" of one that never can be."""
    try:
        return name_of(_upload_name(name))
    except ZatoError:
        return ""


def _read_state(file: Path) -> dict[str, _Stamp]:
    try:
        return {name: (int(stamp[0]), int(stamp[1])) for name, stamp in json.loads(file.read_text()).items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Without it every file is sent once more, which makes no new version of one that is the same.
        return {}
