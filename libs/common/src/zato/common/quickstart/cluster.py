"""
The folder of a quickstart cluster:

    cluster.toml     its name, its parts and their addresses
    secrets.toml     what is shared: token, secret key, passwords
    admin_password   of the first administrator, until it is changed
    odb.db           the ODB of all servers (SQLite)
    redis/ ca/ lb-agent/ server1/ server2/ …    a part's folder each
    operator_token operator/    how the zato command gets its certificate, and that

What the parts have to know of each other is written into their settings whenever the cluster starts, so that ports can
move and the folder can be moved. Everything else in their settings is the user's to edit.
"""

import shutil
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zato.common.cli.parts import Parts
from zato.common.errors import InvalidOptions, NotFound
from zato.common.lifecycle.folders import (
    CLUSTER_FILE,
    PART_FILE,
    PartFolder,
    create_folder,
    open_folder,
    refuse_unless_empty,
    update_settings,
    write_secret,
)
from zato.common.lifecycle.ports import holder, is_free, next_free, split_address
from zato.common.lifecycle.toml import toml_document
from zato.common.options import declared_options
from zato.common.quickstart.roles import AUTHORITY, HOST, ROLES, Member, Wiring, role_of, trust_settings
from zato.common.secrets import generate_key, generate_password, generate_token

_HEADER = """\
# A cluster made by `zato quickstart create`. Each start writes the addresses below into the settings of the parts,
# and moves those that are taken by then.
"""
_generators = {
    "token": generate_token,
    "secret_key": generate_key,
    "redis_password": generate_token,
    "stats_password": generate_password,
    "pubapi_password": generate_password,
}


@dataclass(frozen=True)
class Moved:
    """A port that was taken, by whom, and where the part listens instead."""

    member: str
    setting: str
    old: str
    new: str
    taken_by: str

    def __str__(self) -> str:
        what = self.setting.removesuffix("_address").replace("address", "")
        of_what = f"{self.member} ({what})" if what else self.member
        return f"Port {self.old.rpartition(':')[2]} is taken by {self.taken_by}: {of_what} listens at {self.new}"


@dataclass(frozen=True)
class Cluster:
    path: Path
    name: str
    version: str
    members: tuple[Member, ...]
    secrets: Mapping[str, str]

    @property
    def wiring(self) -> Wiring:
        return Wiring(self.path, self.name, self.members, self.secrets)

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.toml"

    @property
    def servers(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.part == "server")

    def folder(self, member: Member) -> PartFolder:
        return open_folder(self.path / member.name)

    def wanted_settings(self, member: Member) -> dict[str, Any]:
        """Return what the cluster decides of a part's settings."""
        wiring = self.wiring
        return {**member.addresses, **role_of(member.part).settings(wiring, member), **trust_settings(wiring, member)}


def create_cluster(
    path: Path,
    *,
    name: str,
    servers: int,
    version: str,
    parts: Parts,
    is_clear_text: bool = False,
    extras: Collection[str] = (),
) -> tuple[Cluster, list[Moved]]:
    """
    Make the folder and all parts' folders in it, on ports that are free now.

    Args:
        is_clear_text: Without an authority, so that parts need no certificates. So it is where the authority is not installed.
        extras: Of EXTRAS, what the cluster has beside the usual parts.

    Raises:
        AlreadyExists: There is something in `path`.
        NotFound: A part is not installed.
    """
    path = path.resolve()
    refuse_unless_empty(path)
    wanted = [
        Member(f"{role.part}{number}" if role.is_many else role.part, role.part, _preferred(role.ports, number))
        for role in ROLES
        if not (role.is_optional and role.part not in parts)
        and not (role.is_extra and role.part not in extras)
        and not (role.part == AUTHORITY and is_clear_text)
        for number in range(1, servers + 1 if role.is_many else 2)
    ]
    members, moves = _with_free_ports(wanted, already_running=frozenset())
    for member in members:
        parts.get(member.part)
    cluster = Cluster(path, name, version, members, generate_secrets())
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    try:
        for member in members:
            part = parts.get(member.part)
            values = {**cluster.wanted_settings(member), **_no_token_yet(cluster, member)}
            create_folder(part, path / member.name, values, version=parts.version(part.name))
        write_secret(cluster.secrets_file, toml_document(cluster.secrets))
        save_cluster(cluster)
    except BaseException:
        # Half a cluster is of no use, and would be in the way of the next attempt.
        for entry in path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        raise
    return cluster, moves


def _no_token_yet(cluster: Cluster, member: Member) -> dict[str, str]:
    """A line for the token among the secrets, so that it is not written into the settings later."""
    return {"enrolment_token": ""} if trust_settings(cluster.wiring, member) else {}


def generate_secrets() -> dict[str, str]:
    """Return new ones of all that a cluster shares, by name."""
    return {name: make() for name, make in _generators.items()}


def load_cluster(path: Path) -> Cluster:
    """
    Raises:
        NotFound: There is no cluster in `path`.
        InvalidOptions: Its files are damaged.
    """
    path = path.resolve()
    file = path / CLUSTER_FILE
    try:
        values = tomllib.loads(file.read_text())
        secrets = tomllib.loads((path / "secrets.toml").read_text())
        members = tuple(_member(row) for row in values["parts"])
        return Cluster(path, values["name"], values.get("version", ""), members, secrets)
    except FileNotFoundError:
        what = "is the folder of a single part" if (path / PART_FILE).exists() else "is not a quickstart cluster"
        raise NotFound(
            f"{path} {what}: there is no {CLUSTER_FILE} in it. Make one with 'zato quickstart create PATH'"
        ) from None
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as exc:
        raise InvalidOptions(f"{file} is damaged: {type(exc).__name__}: {exc}") from exc


def save_cluster(cluster: Cluster) -> None:
    rows = [{"name": member.name, "part": member.part, **member.addresses} for member in cluster.members]
    document = toml_document({"name": cluster.name, "version": cluster.version}, {"parts": rows})
    write_secret(cluster.path / CLUSTER_FILE, f"{_HEADER}{document}")


def move_taken_ports(cluster: Cluster, running: frozenset[str]) -> tuple[Cluster, list[Moved]]:
    """Give members that do not run other ports where somebody else listens at theirs. Saves what changed."""
    members, moves = _with_free_ports(cluster.members, already_running=running)
    cluster = replace(cluster, members=members)
    if moves:
        save_cluster(cluster)
    return cluster, moves


def write_settings(cluster: Cluster, parts: Parts) -> list[Member]:
    """Write what the cluster decides into the parts' settings, and return the members for which this changed anything."""
    changed = []
    for member in cluster.members:
        folder = cluster.folder(member)
        present = {**_toml(folder.settings_file), **_toml(folder.secrets_file)}
        known = {option.name for option in declared_options(parts.get(member.part).settings)}
        wanted = {name: value for name, value in cluster.wanted_settings(member).items() if name in known}
        changes = {name: value for name, value in wanted.items() if present.get(name) != value}
        if changes:
            update_settings(folder, changes)
            changed.append(member)
    return changed


def _member(row: Mapping[str, str]) -> Member:
    addresses = {key: value for key, value in row.items() if key not in ("name", "part")}
    return Member(row["name"], row["part"], addresses)


def _preferred(ports: Mapping[str, int], number: int) -> dict[str, str]:
    return {setting: f"{HOST}:{port + number - 1}" for setting, port in ports.items()}


def _with_free_ports(members: Iterable[Member], *, already_running: frozenset[str]) -> tuple[tuple[Member, ...], list[Moved]]:
    """Move as few ports as possible: whoever can stay stays, and nobody moves to where another one belongs."""
    members = tuple(members)
    chosen = {split_address(address)[1] for member in members for address in member.addresses.values()}
    result, moves = [], []
    for member in members:
        addresses = dict(member.addresses)
        for setting, address in member.addresses.items():
            host, preferred = split_address(address)
            if member.name in already_running or is_free(host, preferred):
                continue
            port = next_free(host, preferred + 1, chosen)
            chosen.add(port)
            addresses[setting] = f"{host}:{port}"
            moves.append(Moved(member.name, setting, address, addresses[setting], holder(preferred)))
        result.append(replace(member, addresses=addresses))
    return tuple(result), moves


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as exc:
        raise InvalidOptions(f"{file} is not valid TOML: {exc}") from exc
