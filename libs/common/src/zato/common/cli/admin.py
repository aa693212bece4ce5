"""
Talking to a cluster's servers: which cluster is meant, where its servers are, and one client that finds a live one.
"""

import argparse
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zato.common.cli.commands import completes_files, completes_folders
from zato.common.cli.operator import operator_tls
from zato.common.cli.signed_in import TOKEN_VARIABLE, token_for
from zato.common.errors import (
    DeadlineExceeded,
    InternalError,
    InvalidOptions,
    NotFound,
    Unavailable,
    Unreachable,
    WorkerLost,
    ZatoError,
)

if TYPE_CHECKING:
    from zato.common.rpc.client import Client
    from zato.common.rpc.tls import TLSFiles
    from zato.proto.control_plane.v1.control_plane_pb2 import DeployResponse

T = TypeVar("T")
CLUSTER_VARIABLE = "ZATO_CLUSTER"
DEFAULT_FOLDER = Path("var/quickstart")
_CLUSTER_FILE = "cluster.toml"
_CALL_TIMEOUT_S = 30.0
# What is deployed is tried first, which has a time limit of its own.
_DEPLOY_TIMEOUT_S = 90.0
_PIECE_BYTES = 256 * 1024
_SLOWEST_BYTES_PER_S = 50_000
_PING = "zato.ping"
_PING_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Servers:
    """
    gRPC addresses of a cluster's servers, and the token they take. `where` says whose they are, for messages; `tls` is the
    operator's certificate, None where they talk in clear text.
    """

    addresses: tuple[str, ...]
    token: str
    where: str
    tls: "TLSFiles | None" = None


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Which cluster")
    completes_folders(
        group.add_argument(
            "--cluster",
            metavar="PATH",
            type=Path,
            help=f"Its folder (default: ${CLUSTER_VARIABLE}, else the nearest one at or above the current folder)",
        )
    )
    group.add_argument("--server", metavar="HOST:PORT", help="gRPC address of one of its servers, instead of a folder")
    completes_files(group.add_argument("--token-file", metavar="FILE", type=Path, help="The cluster's token, for --server"))
    identity_argument(group, "--server")


def identity_argument(group: Any, for_option: str) -> None:
    """Add --identity, which names the operator's certificate where there is no cluster's folder to find it by."""
    completes_folders(
        group.add_argument(
            "--identity",
            metavar="FOLDER",
            type=Path,
            help=f"Your certificate, for {for_option}: what 'zato ca issue NAME --purpose operator --out FOLDER' made",
        )
    )


def tls_of(options: argparse.Namespace) -> "TLSFiles | None":
    """Return the files of the certificate that --identity names."""
    if not getattr(options, "identity", None):
        return None
    from zato.common.certificates.identity import Identity

    return Identity(options.identity).tls


def find_cluster(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """
    Return the folder of the cluster that is meant: the given one, $ZATO_CLUSTER, or the nearest at or above this folder.

    Raises:
        NotFound: There is none; says how to name or make one.
    """
    if given is not None:
        return given
    if environ.get(CLUSTER_VARIABLE):
        return Path(environ[CLUSTER_VARIABLE])
    here = Path.cwd()
    for folder in (here, *here.parents):
        for candidate in (folder, folder / DEFAULT_FOLDER):
            if (candidate / _CLUSTER_FILE).is_file():
                return candidate
    raise NotFound(
        f"There is no cluster at or above {here}: make one with 'zato quickstart create', "
        f"or name one with --cluster PATH or ${CLUSTER_VARIABLE}"
    )


def find_servers(options: argparse.Namespace) -> Servers:
    """
    Return the servers that the arguments of `add_cluster_arguments` name.

    Raises:
        NotFound, InvalidOptions
    """
    from zato.common.lifecycle.folders import read_secret

    if options.server:
        tls = tls_of(options)
        if options.token_file is not None:
            return Servers((options.server,), read_secret(options.token_file), options.server, tls)
        if token := token_for(options.server):
            return Servers((options.server,), token, options.server, tls)
        raise InvalidOptions(
            f"--server needs somebody's token: 'zato login --server {options.server}' first, ${TOKEN_VARIABLE}, "
            "or --token-file FILE with the cluster's"
        )
    path = find_cluster(options.cluster)
    values, secrets = _toml(path / _CLUSTER_FILE), _toml(path / "secrets.toml")
    addresses = tuple(row["grpc_address"] for row in values.get("parts", ()) if row.get("part") == "server")
    if not addresses or "token" not in secrets:
        raise InvalidOptions(f"The cluster in {path} names no servers, or no token: {path / _CLUSTER_FILE} may be damaged")
    where = str(path.resolve())
    return Servers(addresses, token_for(where) or secrets["token"], where, operator_tls(path))


def sign_in_servers(options: argparse.Namespace) -> Servers:
    """Return the servers to sign in at, for which nobody needs a token yet. Raises as `find_servers` does."""
    if options.server:
        return Servers((options.server,), "", options.server, tls_of(options))
    return replace(find_servers(options), token="")


class Admin:
    """A client of a cluster. Talks to one live server; calls that may be repeated go to the next one when it is away."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._clients: dict[str, Client] = {}
        self._live: str | None = None

    def __enter__(self) -> "Admin":
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self._clients.values():
            client.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """gRPC addresses of all servers."""
        return self._servers.addresses

    def invoke(
        self,
        service: str,
        payload: Any = None,
        *,
        is_idempotent: bool = False,
        server: str | None = None,
        timeout_s: float = _CALL_TIMEOUT_S,
    ) -> Any:
        """
        Invoke a service with JSON, and return its answer decoded.

        Args:
            is_idempotent: It may run twice, so another server is tried when the first one does not answer.
            server: The only one to ask, one of `addresses`.

        Raises:
            ZatoError: What the service raised; Unavailable when no server can be reached.
        """
        raw = b"" if payload is None else json.dumps(payload).encode()
        answer, _ = self.invoke_raw(service, raw, is_idempotent=is_idempotent, server=server, timeout_s=timeout_s)
        try:
            return json.loads(answer) if answer else None
        except ValueError as exc:
            raise InternalError(f"Service '{service}' did not answer with JSON") from exc

    def invoke_raw(
        self,
        service: str,
        payload: bytes,
        *,
        data_format: str = "json",
        is_idempotent: bool = False,
        server: str | None = None,
        timeout_s: float = _CALL_TIMEOUT_S,
    ) -> tuple[bytes, str]:
        """Invoke a service with bytes, and return its answer with the content type."""

        def call(client: "Client") -> tuple[bytes, str]:
            return _invoke(client, service, payload, data_format, timeout_s)

        if server is not None:
            return call(self._client(server))
        return self._on_any(call) if is_idempotent else call(self._live_client())

    def deploy(
        self,
        file_name: str,
        source: bytes,
        *,
        wait_s: float,
        undeploy: bool = False,
        on_sent: Callable[[int], None] = lambda count: None,
    ) -> "DeployResponse":
        """
        Store a new version of a file or package of services, or take it out of use.

        Args:
            on_sent: Is told how many bytes have gone, of what is so large that it takes a while.
        """
        from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
        from zato.proto.control_plane.v1.control_plane_pb2_grpc import ControlPlaneStub

        client = self._live_client()
        stub = ControlPlaneStub(client.channel)
        timeout_s = wait_s + _DEPLOY_TIMEOUT_S
        if len(source) <= _PIECE_BYTES:
            request = DeployRequest(file_name=file_name, source=source, undeploy=undeploy, wait_s=wait_s)
            return client.call(stub.Deploy, request, timeout_s=timeout_s)

        def pieces() -> Iterator[DeployRequest]:
            yield DeployRequest(file_name=file_name, wait_s=wait_s, source=source[:_PIECE_BYTES])
            for start in range(_PIECE_BYTES, len(source), _PIECE_BYTES):
                on_sent(start)
                yield DeployRequest(source=source[start : start + _PIECE_BYTES])
            on_sent(len(source))

        return client.call(stub.Upload, pieces(), timeout_s=timeout_s + len(source) / _SLOWEST_BYTES_PER_S)

    def _on_any(self, call: Callable[["Client"], T]) -> T:
        failures = []
        for target in self._in_order():
            try:
                answer = call(self._client(target))
            except (Unavailable, DeadlineExceeded) as exc:
                failures.append(exc)
            else:
                self._live = target
                return answer
        raise self._nobody(failures)

    def _live_client(self) -> "Client":
        """Return a client whose server works, so that a call that must not run twice is sent once."""
        if self._live is None:
            self._on_any(lambda client: _invoke(client, _PING, b"", "json", _PING_TIMEOUT_S))
        assert self._live is not None
        return self._client(self._live)

    def _in_order(self) -> Sequence[str]:
        return sorted(self._servers.addresses, key=lambda target: target != self._live)

    def _client(self, target: str) -> "Client":
        if target not in self._clients:
            from zato.common.rpc.client import Client

            self._clients[target] = Client(target, token=self._servers.token, tls=self._servers.tls)
        return self._clients[target]

    def _nobody(self, failures: Sequence[ZatoError]) -> ZatoError:
        answers = [failure for failure in failures if not isinstance(failure, Unreachable | WorkerLost)]
        if answers:
            return answers[-1]  # they are there, and said what keeps them from answering
        tried = ", ".join(self._servers.addresses)
        return Unavailable(f"No server of {self._servers.where} answers (tried {tried}): is the cluster started?")


def _invoke(client: "Client", service: str, payload: bytes, data_format: str, timeout_s: float) -> tuple[bytes, str]:
    from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
    from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub

    request = InvokeRequest(service=service, payload=payload, data_format=data_format)
    response = client.call(InvokerStub(client.channel).Invoke, request, timeout_s=timeout_s)
    return response.payload, response.content_type


def connect(options: argparse.Namespace) -> Admin:
    """Return a client of the cluster that the arguments name; use it in a `with` block."""
    return Admin(find_servers(options))


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise NotFound(f"There is no cluster in {file.parent}: {file.name} is missing") from None
    except OSError as exc:
        raise InvalidOptions(f"{file} cannot be read: {exc.strerror}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise InvalidOptions(f"{file} is not valid TOML: {exc}") from exc
