"""A server's worker in this process, with the benchmark's services and channels."""

import json
import os
import tomllib
from pathlib import Path

from google.protobuf.message import Message

from bench.rows import Row
from zato.common import logs
from zato.common.bus import MemoryBus
from zato.common.cid import new_cid
from zato.common.secrets import generate_key
from zato.proto.control_plane.v1.control_plane_pb2 import DeployRequest
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.server.http.connection import ConnectionSettings
from zato.server.http.request import Request

SERVICES = Path(__file__).parent / "services"


class InProcessWorker:
    """
    Nothing that a real worker does in the background goes on here, so that only requests count.

    Args:
        folder: For its database and files; whoever gives it also removes it.
    """

    def __init__(self, folder: Path) -> None:
        # Read by prometheus_client when it is imported, which is why the server's modules come after it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        from zato.server.app import WorkerApp
        from zato.server.config import ServerSettings
        from zato.server.http.wire import HeadWriter
        from zato.server.metrics import Metrics
        from zato.server.odb import schema
        from zato.server.odb.database import Database

        logs.configure("bench", log_format="json", level="INFO")
        settings = ServerSettings(
            odb_url=f"sqlite:///{folder}/odb.db",
            redis_url="redis://127.0.0.1:1/0",
            token="bench",  # noqa: S106
            secret_key=generate_key(),
            work_folder=folder / "work",
            services_folder=folder / "services",
        )
        settings.work_folder.mkdir()
        database = Database(settings.odb_url)
        schema.upgrade(database)
        self._app = WorkerApp(settings, Metrics(), MemoryBus(), database)
        self._app.load()
        self.head_writer, self.is_stopping = HeadWriter(), False
        self._rpc_settings = self._app.rpc_settings(self)
        self._prepare(self._rpc_settings)
        self._app.load()
        self._http_settings = self._app.http_settings(self)

    def send(self, row: Row, count: int) -> None:
        """Have one request answered `count` times, from what the parser makes to the bytes of the answer."""
        headers = {"host": "127.0.0.1", "content-length": str(len(row.body)), "user-agent": "bench", **row.headers}
        raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        handle, encode = self._http_settings.handle, self.head_writer.encode
        for _ in range(count):
            cid = new_cid()
            response = handle(Request("POST", row.path, raw_headers, row.body, cid=cid, remote_address="192.0.2.1"))
            _, body = encode(response, cid, is_head=False, keep_alive=True, is_http_1_0=False)
            if response.status != 200 or row.contains not in body:
                raise RuntimeError(f"'{row.name}' was answered with {response.status}: {body[:500]!r}")
        self._app.flush_log()

    def call(self, count: int) -> None:
        """The same for what the sidecar forwards of a call by gRPC that invokes a service."""
        message = InvokeRequest(service="bench.plain", payload=b'{"order_id": 12345}').SerializeToString()
        encode = self.head_writer.encode
        for _ in range(count):
            cid = new_cid()
            headers = {"host": "worker", "content-length": str(len(message)), "x-zato-cid": cid, "x-zato-actor": "cluster"}
            headers |= {"x-zato-address": "127.0.0.1", "x-zato-deadline-ms": "9999"}
            raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
            response = self._rpc_settings.handle(Request("POST", "/__rpc/Invoker/Invoke", raw_headers, message, cid=cid))
            encode(response, cid, is_head=False, keep_alive=True, is_http_1_0=False)
            if response.status != 200:
                raise RuntimeError(f"A call was answered with {response.status}: {response.body[:500]!r}")
        self._app.flush_log()

    def _prepare(self, settings: ConnectionSettings) -> None:
        file = SERVICES / "bench_services.py"
        _call(settings, "ControlPlane/Deploy", DeployRequest(file_name=file.name, source=file.read_bytes()))
        by_kind = tomllib.loads((SERVICES / "objects.toml").read_text())
        objects = [{"kind": kind, **each} for kind, of_kind in by_kind.items() for each in of_kind]
        payload = json.dumps({"objects": objects}).encode()
        _call(settings, "Invoker/Invoke", InvokeRequest(service="zato.enmasse.apply", payload=payload))


def _call(settings: ConnectionSettings, method: str, message: Message) -> None:
    """As the sidecar does it."""
    response = settings.handle(Request("POST", f"/__rpc/{method}", [], message.SerializeToString(), cid=new_cid()))
    if response.status != 200:
        raise RuntimeError(f"{method} failed: {response.body!r}")
