import json
import time
from pathlib import Path
from typing import Any

import grpc

from fake_parts.running import serve_http, settings_from_command_line, wait_for_sigterm
from fake_parts.server import PART
from zato.common.errors import NotFound
from zato.common.rpc.server import ThreadedServer
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerServicer, add_InvokerServicer_to_server

settings = settings_from_command_line(PART)
store = Path(settings.odb_url.removeprefix("sqlite:///")).with_suffix(".json")


class Invoker(InvokerServicer):
    def Invoke(self, request: InvokeRequest, context: grpc.ServicerContext) -> InvokeResponse:
        payload = json.loads(request.payload or b"{}")
        return InvokeResponse(payload=json.dumps(self._answer(request.service, payload)).encode(), status=200)

    def _answer(self, service: str, payload: dict[str, Any]) -> Any:
        objects: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
        if service == "zato.ping":
            return {"pong": "zato"}
        kind, _, action = service.removeprefix("zato.").rpartition(".")
        if action == "get-list":
            return [each for key, each in objects.items() if key.startswith(f"{kind}/")]
        key = f"{kind}/{payload['name']}"
        if action == "create":
            objects[key] = payload
            store.write_text(json.dumps(objects))
        if key not in objects:
            raise NotFound(f"There is no {kind} '{payload['name']}'")
        return {**objects[key], "id": 1, "version": 1}


server = ThreadedServer(
    settings.grpc_address,
    token=settings.token,
    services=["zato.proto.invoker.v1.Invoker"],
    add=lambda server: add_InvokerServicer_to_server(Invoker(), server),
)
server.start()
if settings.is_slow:
    time.sleep(60)
serve_http(settings.http_address, lambda path, headers: 200)
wait_for_sigterm()
server.stop()
