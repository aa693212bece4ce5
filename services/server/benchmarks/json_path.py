"""
Processor time of one plain JSON request, from bytes to bytes, without sockets.

    .venv/bin/python services/server/benchmarks/json_path.py

To compare two states of the code run it in both, by turns: no machine is equally busy all the time.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

_FOLDER = Path(tempfile.mkdtemp(prefix="zato-benchmark-"))
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_FOLDER)

from zato.common import logs  # noqa: E402
from zato.common.bus import MemoryBus  # noqa: E402
from zato.common.secrets import generate_key  # noqa: E402
from zato.server.app import WorkerApp  # noqa: E402
from zato.server.config import ServerSettings  # noqa: E402
from zato.server.http.channel import HTTPChannelOptions, compile_channel  # noqa: E402
from zato.server.http.parser import RequestParser  # noqa: E402
from zato.server.http.request import Request  # noqa: E402
from zato.server.http.router import Router  # noqa: E402
from zato.server.http.tokenizer import ParserLimits  # noqa: E402
from zato.server.http.wire import HeadWriter  # noqa: E402
from zato.server.metrics import Metrics  # noqa: E402
from zato.server.service import Service  # noqa: E402
from zato.server.services.store import ServiceEntry  # noqa: E402
from zato.server.worker_state import WorkerState  # noqa: E402

_ROUNDS, _REQUESTS = 7, 3000
_BODY = b'{"name": "abcdefghijklmnopqrstuvwx", "number": 12345}'
_REQUEST = (
    b"POST /echo HTTP/1.1\r\nHost: localhost:17010\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Echo(Service):
    def handle(self) -> None:
        self.response.payload = {"got": self.request.payload["name"]}


def make_app() -> WorkerApp:
    settings = ServerSettings(odb_url=f"sqlite:///{_FOLDER}/odb.db", token="x", secret_key=generate_key(), work_folder=_FOLDER)
    app = WorkerApp(settings, Metrics(), MemoryBus())
    app._store.replace_deployed([ServiceEntry("echo", "benchmark.Echo", Echo)])
    channel = compile_channel("echo", HTTPChannelOptions(url_path="/echo", service="echo"), None)
    app._state = WorkerState(router=Router([channel]))
    app._is_loaded = True
    return app


def main() -> None:
    # With its access log: that is what a server does.
    logs.configure("benchmark", log_format="json", stream=Path(os.devnull).open("w"))  # noqa: SIM115
    handle, writer = make_app()._pipeline, HeadWriter()
    parser = RequestParser(ParserLimits(8190, 100, 8190, 10_000_000))
    rounds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_REQUESTS):
            parser.feed(_REQUEST)
            request = Request(parser.method, parser.target, parser.headers, parser.body, cid="cid", remote_address="127.0.0.1")
            response = handle(request)
            writer.encode(response, "cid", is_head=False, keep_alive=True, is_http_1_0=False)
            parser.reset()
            assert response.status == 200
        rounds.append((time.process_time() - started) / _REQUESTS * 1e6)
    print(f"{min(rounds):.1f} µs a request (median {statistics.median(rounds):.1f})")


if __name__ == "__main__":
    main()
