"""What all stand-ins do: read the folder, serve HTTP, end on SIGTERM."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from zato.common.cli.parts import Part
from zato.common.errors import ZatoError
from zato.common.lifecycle.folders import open_folder
from zato.common.lifecycle.ports import split_address

# Takes path and headers, returns the status.
Answer = Callable[[str, Mapping[str, str]], int]


def settings_from_command_line(part: Part) -> Any:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    try:
        return open_folder(parser.parse_args().folder).load_settings(part)
    except ZatoError as exc:
        sys.exit(f"{part.name}: {exc.message}")


def serve_http(address: str, answer: Answer) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer(self.path, dict(self.headers)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(split_address(address), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def wait_for_sigterm() -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    print(f"running, pid {os.getpid()}", flush=True)
    ended.wait()
    print("ended by itself", flush=True)
