"""
Nobody smuggles a request past the load-balancer.

HAProxy and the servers both log each request, with one cid. When both have read the same requests out of what clients sent, the
two logs have the same cids, each as often; and an honest client beside them always gets its own answer.
"""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from smuggling_corpus import corpus

from zato.common.errors import ZatoError
from zato.common.testing.waiting import eventually
from zato.server.http.h1c_tokenizer import H1CTokenizer
from zato.server.http.httptools_tokenizer import HttptoolsTokenizer
from zato.server.http.parser import RequestParser
from zato.server.http.tokenizer import ParserLimits

ECHO = """
from zato.server.service import Service
class Echo(Service):
    name = "echo"
    def handle(self):
        self.response.payload = {"id": self.request.http.params["id"], "size": len(self.request.raw_request)}
"""
# A request that is not complete waits for its rest until the client has had enough; an honest one is answered.
PATIENCE_S, HONEST_PATIENCE_S = 0.4, 30.0
AT_A_TIME = 8


class Log:
    """What is written to a part's log from now on."""

    def __init__(self, folder: Path) -> None:
        self._sizes = {path: path.stat().st_size for path in folder.rglob("*.log")}

    def lines(self) -> Iterator[dict[str, object]]:
        for path, size in self._sizes.items():
            for line in path.read_bytes()[size:].splitlines():
                if line.startswith(b"{"):
                    yield json.loads(line.decode(errors="replace"))

    def cids(self, *events: str) -> Counter[object]:
        """Of requests that a server had to answer: what HAProxy refused itself has none."""
        found = (line for line in self.lines() if line.get("event") in events)
        return Counter(line["cid"] for line in found if not str(line.get("server", "")).endswith("<NOSRV>"))


@pytest.fixture(scope="module")
def echo(cluster):
    file = cluster.folder / "echo.py"
    file.write_text(ECHO)
    cluster.zato("service", "deploy", str(file), "--wait", "20")
    cluster.zato("object", "create", "channel-http", "echo", "url_path=/echo/{id}", "service=echo", "data_format=")
    cluster.zato("wait", "--timeout", "20")
    host, port = cluster.part("lb-agent")["frontend_address"].split(":")
    return host, int(port)


def send(address: tuple[str, int], data: bytes, patience_s: float = PATIENCE_S) -> bytes:
    """Return all that comes back until the other side closes, or nothing comes any more."""
    received = b""
    with socket.create_connection(address, timeout=HONEST_PATIENCE_S) as client:
        client.settimeout(patience_s)
        try:
            client.sendall(data)
            while part := client.recv(65536):
                received += part
        except OSError:
            pass
    return received


def dropped_lines(folder: Path) -> int:
    """Return how many lines of its log HAProxy could not write so far."""
    (path,) = folder.joinpath("lb-agent").rglob("haproxy.sock")
    with socket.socket(socket.AF_UNIX) as client:
        # Paths of Unix sockets are short, pytest's folders are not.
        folder_descriptor = os.open(path.parent, os.O_RDONLY)
        client.connect(f"/proc/self/fd/{folder_descriptor}/{path.name}")
        os.close(folder_descriptor)
        client.sendall(b"show info\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
    (line,) = [line for line in answer.decode().splitlines() if line.startswith("DroppedLogs:")]
    return int(line.partition(":")[2])


def attack(address: tuple[str, int], number: int, data: bytes) -> None:
    """Send a case, and then, as somebody else, an honest request that may be given what the case left behind."""
    send(address, data.replace(b"{n}", str(number).encode()))
    honest = b"GET /echo/honest-%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number
    answer = send(address, honest, HONEST_PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b'"honest-%d"' % number in answer, "the honest client was given somebody else's answer"


@pytest.mark.parametrize("make_tokenizer", [H1CTokenizer, HttptoolsTokenizer])
def test_whatever_takes_requests_apart_the_corpus_has_the_same_requests_in_it(make_tokenizer):
    limits = ParserLimits(8190, 100, 8190, 1_000_000)
    stricter = []
    for name, data in corpus():
        data = data.replace(b"{n}", b"1")
        expected = outcomes(data, RequestParser(limits))
        found = outcomes(data, RequestParser(limits, None, make_tokenizer))
        assert outcomes(data, RequestParser(limits, None, make_tokenizer), size=1) == found, f"{name}, byte by byte"
        if found != expected:
            assert found == ["refused"], f"{name}: {data!r}"
            stricter.append(data)
    # A space behind the number of Content-Length, and trailers that are none.
    assert len(stricter) <= 4, stricter


def outcomes(data: bytes, parser: RequestParser, size: int = 65536) -> list[object]:
    """Return the requests that are read, and last, where it comes to that, that one was refused or is not complete."""
    found: list[object] = []
    is_begun = False
    for start in range(0, len(data), size):
        pending = data[start : start + size]
        while pending:
            try:
                parser.feed(pending)
            except ZatoError:
                return [*found, "refused"]
            is_begun = not parser.is_complete
            pending = b""
            if parser.is_complete:
                found.append((parser.method, parser.target, parser.body, parser.should_keep_alive))
                if not parser.should_keep_alive:
                    return found
                pending = parser.remaining()
                parser.reset()
    return [*found, "incomplete"] if is_begun else found


def test_load_balancer_and_servers_always_agree_on_how_many_requests_there_were(cluster, echo):
    cases = list(corpus())
    assert len(cases) >= 250
    front, dropped_before = Log(cluster.folder / "lb-agent"), dropped_lines(cluster.folder)
    back = [Log(cluster.folder / name) for name in ("server1", "server2")]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda numbered: attack(echo, numbered[0], numbered[1][1]), enumerate(cases)))

    def seen_by_servers() -> Counter[object]:
        return sum((log.cids("http_request", "http_request_refused") for log in back), Counter())

    def agree() -> bool:
        forwarded, seen = front.cids("http_request"), seen_by_servers()
        assert forwarded - seen == Counter(), "the load-balancer counts requests that no server has seen"
        # HAProxy would rather lose a line than wait for its reader, and counts how many it lost.
        unknown = (seen - forwarded).total()
        assert unknown <= dropped_lines(cluster.folder) - dropped_before, (
            "servers have read what the load-balancer did not send"
        )
        paths = Counter(line["path"] for log in back for line in log.lines() if line.get("event") == "http_request")
        honest = [count for path, count in paths.items() if str(path).startswith("/echo/honest-")]
        assert honest == [1] * len(cases)
        return True

    eventually(agree, timeout_s=60)
    print(f"{len(cases)} cases, {sum(seen_by_servers().values())} requests")
