"""
A server to balance to, as a process of its own: `python backend.py NAME [PORT]` prints its port and serves until killed.

Each answer is one write, so that a killed server has sent it wholly or not at all. Beside echoing it is told by its
path what to do: /slow/<seconds> takes its time, /held waits until it is let go, /break closes the connection instead of
answering, /status/<code>. Asked directly, /_seen says what it got and /_connections how many there were, /_let_go lets go
what is held, /_forget forgets what was seen and holds anew, /_ready and /_not_ready switch what health checks hear.
"""

import asyncio
import json
import sys
from typing import Any


class Backend:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ready = True
        self.seen: list[dict[str, Any]] = []
        self.connections = 0
        self.may_go = asyncio.Event()

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        body = await self._body(reader, headers)
        answer = await self._answer(method, path, headers, body)
        if answer is None:
            return False
        status, content = answer
        payload = json.dumps(content).encode()
        made = f"HTTP/1.1 {status} Made\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
        writer.write(made if method == "HEAD" else made + payload)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    @staticmethod
    async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if "transfer-encoding" not in headers:
            return await reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body

    async def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any] | None:
        _, first, *rest = path.split("/")
        if path == "/health/ready":
            return (200 if self.is_ready else 503), {}
        if first == "_seen":
            return 200, self.seen
        if first == "_connections":
            return 200, self.connections
        if first in ("_ready", "_not_ready"):
            self.is_ready = first == "_ready"
            return 200, {}
        if first == "_forget":
            self.seen.clear()
            self.may_go.clear()
            return 200, {}
        if first == "_let_go":
            self.may_go.set()
            return 200, {}
        self.seen.append({"method": method, "path": path, "headers": headers})
        if first == "slow":
            await asyncio.sleep(float(rest[0]))
        if first == "held":
            await self.may_go.wait()
        if first == "break":
            return None
        status = int(rest[0]) if first == "status" else 200
        return status, {"server": self.name, "method": method, "headers": headers, "bytes": len(body)}


if __name__ == "__main__":
    asyncio.run(Backend(sys.argv[1]).serve(int(sys.argv[2]) if len(sys.argv) > 2 else 0))
