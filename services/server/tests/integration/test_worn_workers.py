"""Workers that have answered as many requests as they may are replaced, and no client sees it."""

import http.client
import threading

import pytest

from zato.common.testing.load import Load
from zato.common.testing.waiting import eventually

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis


class KeptConnection(threading.Thread):
    """A client that keeps its connection until it is told that it ends."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._is_over = threading.Event()
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.http_port, timeout=20)
        while not self._is_over.wait(0.002):
            try:
                # It connects anew where the last answer said that the connection ends, and nowhere else.
                connection.request("GET", "/zato/ping")
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                self.answered += 1
            except Exception as exc:
                self.failures.append(repr(exc))
                connection.close()
        connection.close()

    def end(self) -> None:
        self._is_over.set()
        self.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worn_worker_is_replaced_without_a_failed_request(start_server: StartServer, workers: int) -> None:
    server = start_server(workers=workers, max_requests=300, max_requests_jitter=50)
    first = server.live_worker_pids()
    kept = [KeptConnection(server) for _ in range(4)]
    seen = set(first)

    def were_replaced_twice() -> bool:
        seen.update(server.live_worker_pids())
        return len(seen) >= 3 * workers and not first & server.live_worker_pids()

    for client in kept:
        client.start()
    try:
        with Load(f"http://127.0.0.1:{server.http_port}/zato/ping") as load:
            eventually(were_replaced_twice, timeout_s=60, what="the workers to be replaced, and their successors too")
            load.wait_for_more(50)
    finally:
        for client in kept:
            client.end()
    assert load.failures == [] and [client.failures for client in kept] == [[]] * 4
    eventually(lambda: len(server.live_worker_pids()) == workers, timeout_s=30, what="as many workers as ever")
    assert server.worker_pids() == server.live_worker_pids()
    assert not server.log_lines("requests_cut_off")
