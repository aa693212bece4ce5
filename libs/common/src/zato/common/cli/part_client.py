"""Commands that talk to one part over gRPC: which one is meant, and calling it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import find_cluster, identity_argument, tls_of
from zato.common.cli.commands import UsageError, completes_files, completes_folders
from zato.common.cli.operator import operator_tls

if TYPE_CHECKING:
    from zato.common.cli.parts import Part
    from zato.common.lifecycle.folders import PartFolder
    from zato.common.rpc.client import Client

_TIMEOUT_S = 30.0


class PartClient:
    """
    The part that a command talks to. `call("Drain", name="server1")` calls the RPC of that name.

    Args:
        messages: Module of the contract's messages, where that RPC takes a `DrainRequest`.
        stub: Class of the contract's stubs.
    """

    def __init__(self, client: "Client", messages: ModuleType, stub: Any) -> None:
        self._client = client
        self._messages = messages
        self._stub = stub

    def call(self, method: str, **fields: object) -> Any:
        request = getattr(self._messages, f"{method}Request")(**fields)
        return self._client.call(getattr(self._stub(self._client.channel), method), request, timeout_s=_TIMEOUT_S)


def which_part(parser: argparse.ArgumentParser, title: str, part: str) -> None:
    """
    Add the arguments that say which part of a kind is meant, for `connect_part`.

    Args:
        title: What the group of arguments is called, e.g. "Which load-balancer".
        part: What people call the part, e.g. "agent".
    """
    group = parser.add_argument_group(title)
    completes_folders(
        group.add_argument(
            "--folder",
            metavar="PATH",
            type=Path,
            help=f"The {part}'s folder (default: the one in the cluster that $ZATO_CLUSTER names, else in the nearest one)",
        )
    )
    group.add_argument("--address", metavar="HOST:PORT", help=f"Where the {part} listens, instead of a folder")
    completes_files(group.add_argument("--token-file", metavar="FILE", type=Path, help="The cluster's token, for --address"))
    identity_argument(group, "--address")


@contextmanager
def connect_part(options: argparse.Namespace, part: "Part", messages: ModuleType, stub: Any) -> Iterator[PartClient]:
    """
    Yield a client of the part that the arguments name. Its settings are `TrustSettings` with `grpc_address` and `token`.

    Raises:
        UsageError: The arguments do not name such a part.
    """
    from zato.common.lifecycle.folders import read_secret
    from zato.common.rpc.client import Client

    if options.address:
        if options.token_file is None:
            raise UsageError("--address needs --token-file FILE, a file with the cluster's token")
        client = Client(options.address, token=read_secret(options.token_file), tls=tls_of(options))
    else:
        folder = folder_of(part, options.folder)
        settings: Any = folder.load_settings(part)
        # A part's own certificate is for what a part does, so ours is needed where roles count.
        own = settings.tls() if not settings.is_enrolled else None
        tls = tls_of(options) or own or operator_tls(folder.path, folder.path.parent)
        client = Client(_from_here(settings.grpc_address), token=settings.token, tls=tls)
    try:
        yield PartClient(client, messages, stub)
    finally:
        client.close()


def _from_here(address: str) -> str:
    """Return where a part is reached on its own machine; one that listens everywhere, as in a container, is at loopback too."""
    host, _, port = address.rpartition(":")
    everywhere = ("0.0.0.0", "[::]", "::")  # noqa: S104 (read, not listened at)  # nosec B104
    return f"127.0.0.1:{port}" if host in everywhere else address


def folder_of(part: "Part", path: Path | None) -> "PartFolder":
    """Return the folder at `path`, or the part's in the cluster that is meant. Raises UsageError when it is another part's."""
    from zato.common.lifecycle.folders import open_folder

    folder = open_folder(path or find_cluster(None) / part.name)
    if folder.part != part.name:
        raise UsageError(f"{folder.path} is the folder of a {folder.part}: give the one of the {part.name}")
    return folder


def message_fields(message: Any) -> dict[str, Any]:
    """Return a message's fields. Not protobuf's own JSON, which has 64-bit numbers as texts."""
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
