"""`self.commands`: programs of the operating system, run without keeping the worker's other requests waiting."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from zato.common.errors import NotFound
from zato.common.logs import get_logger
from zato.server.services.moments import utc_now

log = get_logger(__name__)

DEFAULT_TIMEOUT_S = 600.0
_KIBIBYTE = 1024


@dataclass
class CommandResult:
    """
    What became of a command.

    Attributes:
        is_ok: Whether it ended by itself, in time, with exit code 0.
        exit_code: As the program gave it; below 0 when a signal ended it, -1 when it could not be started.
        timeout_msg: Says how long it was waited for, when `is_timeout`.
        total_time: Seconds; `total_time_sec` is the same as text.
    """

    cid: str = ""
    command: str = ""
    is_ok: bool = False
    is_async: bool = False
    is_timeout: bool = False
    timeout: float = DEFAULT_TIMEOUT_S
    timeout_msg: str = ""
    exit_code: int = -1
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    encoding: str = "utf8"
    replace_char: str = "?"
    len_stdout_bytes: int = 0
    len_stderr_bytes: int = 0
    len_stdout_human: str = ""
    len_stderr_human: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    start_time_iso: str = ""
    end_time_iso: str = ""
    total_time: float = 0.0
    total_time_sec: str = ""


Callback = Callable[[CommandResult], object] | str | type | None


class Commands:
    """
    Args:
        cid: What the results carry.
        spawn: Runs a function later, for `invoke_async`.
        invoke: Invokes a service, by its name or class, with a payload.
    """

    def __init__(
        self,
        cid: str,
        spawn: Callable[[Callable[[], object]], None],
        invoke: Callable[[Any, Any], object] | None = None,
    ) -> None:
        self._cid = cid
        self._spawn = spawn
        self._invoke_service = invoke

    def invoke(
        self,
        command: str | Sequence[str],
        *,
        cid: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
        callback: Callback = None,
        stdin: str = "",
        replace_char: str = "?",
        encoding: str = "utf8",
        use_pubsub: bool = False,
    ) -> CommandResult:
        """
        Run a command and wait for its end.

        Args:
            command: Text is run by the shell. A list is run as it is, which is the way for anything that came in from outside.
            timeout: Seconds; then the command and all that it has started is ended.
            stdin: What it reads.
            callback: Gets the result too: a function, or the name or class of a service.
            replace_char: Stands for what is not in `encoding` in its output.
            use_pubsub: Taken since published services say it; there is no pub/sub to tell topics of results.
        """
        result = CommandResult(
            cid=cid or self._cid,
            command=command if isinstance(command, str) else " ".join(command),
            timeout=timeout,
            stdin=stdin,
            encoding=encoding,
            replace_char=replace_char,
            start_time=utc_now(),
        )
        started = time.perf_counter()
        _run(command, result)
        result.total_time = time.perf_counter() - started
        result.total_time_sec = f"{result.total_time:.3f}"
        result.end_time = utc_now()
        result.start_time_iso = result.start_time.isoformat() if result.start_time else ""
        result.end_time_iso = result.end_time.isoformat()
        log.info(
            "command_ended",
            exit_code=result.exit_code,
            is_timeout=result.is_timeout,
            duration_ms=round(result.total_time * 1000),
        )
        self._tell(callback, result)
        return result

    def invoke_async(
        self,
        command: str | Sequence[str],
        *,
        cid: str = "",
        callback: Callback = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        stdin: str = "",
        replace_char: str = "?",
        encoding: str = "utf8",
        use_pubsub: bool = False,
    ) -> CommandResult:
        """Start the command, and call `callback` with its result. It ends with the worker, if not before."""
        cid = cid or self._cid
        options: dict[str, Any] = {"timeout": timeout, "stdin": stdin, "replace_char": replace_char, "encoding": encoding}
        self._spawn(partial(self.invoke, command, cid=cid, callback=callback, **options))
        return CommandResult(cid=cid, command=str(command), is_async=True, timeout=timeout)

    def _tell(self, callback: Callback, result: CommandResult) -> None:
        if callback is None:
            return
        if not isinstance(callback, str | type):
            callback(result)
            return
        try:
            if self._invoke_service is not None:
                self._invoke_service(callback, asdict(result))
        except NotFound:
            # The command has run: its result is worth more than who should have heard of it.
            log.warning("command_callback_unknown", callback=str(callback))


def _run(command: str | Sequence[str], result: CommandResult) -> None:
    try:
        # A session of its own, so that what the command has started ends with it.
        process = subprocess.Popen(
            command,
            # A text is a shell's, as services that give one mean it; a list is started as it is.
            shell=isinstance(command, str),  # nosec B602
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        result.stderr = str(exc)
        return
    try:
        stdout, stderr = process.communicate(result.stdin.encode(result.encoding), timeout=result.timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        stdout, stderr = process.communicate()
        result.is_timeout = True
        result.timeout_msg = f"Command '{result.command:.200}' did not end within {result.timeout:g} s"
    except BaseException:
        # The service itself ran out of time, or the worker stops: nobody waits for the command any more.
        _end(process)
        process.wait()
        raise
    result.exit_code = process.returncode
    result.is_ok = process.returncode == 0 and not result.is_timeout
    result.stdout, result.stderr = _decoded(stdout, result), _decoded(stderr, result)
    result.len_stdout_bytes, result.len_stderr_bytes = len(stdout), len(stderr)
    result.len_stdout_human, result.len_stderr_human = _human(len(stdout)), _human(len(stderr))


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _decoded(output: bytes, result: CommandResult) -> str:
    return output.decode(result.encoding, "replace").replace("\ufffd", result.replace_char)


def _human(size: int) -> str:
    return f"{size} B" if size < _KIBIBYTE else f"{size / _KIBIBYTE:.1f} kB"
