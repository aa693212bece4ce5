"""Carries a run out: invokes the job's service, and writes down what became of it."""

import time
from functools import partial
from typing import Any, Protocol

import gevent
import msgspec

from zato.common.errors import InternalError, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.http import formats
from zato.server.jobs.runs import Outcome, Runs, Started
from zato.server.services.context import ChannelInfo
from zato.server.services.invoke import Invoker
from zato.server.services.overseer import Overseer
from zato.server.services.reqresp import ServiceRequest

log = get_logger(__name__)

CHANNEL_TYPE = "scheduler"
_MAX_TEXT_CHARACTERS = 2000
_RETRY_FINISH_S = 1.0


class RunMetrics(Protocol):
    def observe_job_run(self, job: str, state: str, drift_s: float, elapsed_s: float) -> None: ...


class Runner:
    def __init__(self, runs: Runs, invoker: Invoker, overseer: Overseer, metrics: RunMetrics) -> None:
        self._runs = runs
        self._invoker = invoker
        self._overseer = overseer
        self._metrics = metrics

    def run(self, run_id: int, epoch: int | None) -> messages.RunResponse:
        """
        Start the run if nobody has, and return when it has ended, or at once with the state that it is in.

        Raises:
            StaleEpoch, NotFound
        """
        started = self._runs.start(run_id, epoch)
        if isinstance(started, str):
            return messages.RunResponse(state=started)
        with bind_cid(started.cid):
            begun = time.perf_counter()
            outcome = self._invoke(started)
            elapsed_s = time.perf_counter() - begun
            self._metrics.observe_job_run(started.job_name, outcome.state, started.drift_s, elapsed_s)
            log.info(
                "job_ran",
                job=started.job_name,
                service=started.service,
                state=outcome.state,
                drift_s=round(started.drift_s, 3),
                duration_ms=round(elapsed_s * 1000, 2),
            )
            return messages.RunResponse(state=outcome.state, retry=self._finish(run_id, outcome))

    def _invoke(self, started: Started) -> Outcome:
        request = ServiceRequest(started.extra, lambda: _payload(started.extra), {}, None)
        channel = ChannelInfo(started.job_name, CHANNEL_TYPE)
        environ = {"actor": CHANNEL_TYPE, "job_type": started.job_type, "job_name": started.job_name}
        try:
            invoke = partial(self._invoker.invoke, cid=started.cid, channel=channel, environ=environ)
            response = self._overseer.run(started.deadline_s or 0.0, invoke, started.service, request)
        except gevent.GreenletExit:
            raise  # this worker ends: the run is lost, and its successor says so
        except BaseException as exc:  # a service may raise anything, SystemExit included
            if not isinstance(exc, ZatoError):
                log.exception("job_failed", job=started.job_name, service=started.service)
            return Outcome("failed", error=_text(_describe(exc)))
        return Outcome("ok", result=_text(_result(response.payload)))

    def _finish(self, run_id: int, outcome: Outcome) -> messages.PendingRun | None:
        try:
            return self._runs.finish(run_id, outcome)
        except ZatoError as exc:
            log.warning("job_run_not_written", run_id=run_id, error=exc.message)
        gevent.spawn(self._finish_at_last, run_id, outcome)
        return None

    def _finish_at_last(self, run_id: int, outcome: Outcome) -> None:
        """The service ran: as long as this worker lives it tries to say so."""
        while True:
            gevent.sleep(_RETRY_FINISH_S)
            try:
                self._runs.finish(run_id, outcome)
            except ZatoError:
                continue
            except Exception:
                log.exception("job_run_not_written", run_id=run_id)
                continue
            return


def _payload(extra: str) -> Any:
    """Extra data that is a JSON object or list is parsed; anything else is the text that it is."""
    if extra.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(extra)
        except (msgspec.DecodeError, RecursionError):
            return extra
    return extra


def _result(payload: Any) -> str:
    if payload is None or isinstance(payload, str):
        return payload or ""
    try:
        return formats.dump("json", payload)[0].decode(errors="replace")
    except (InternalError, RecursionError):
        return f"a {type(payload).__name__}"


def _describe(exc: BaseException) -> str:
    return exc.message if isinstance(exc, ZatoError) else f"{type(exc).__name__}: {exc}"


def _text(text: str) -> str:
    # PostgreSQL's texts have no NUL, and lone surrogates have no UTF-8.
    text = text.replace("\0", "").encode(errors="replace").decode()
    return text if len(text) <= _MAX_TEXT_CHARACTERS else f"{text[:_MAX_TEXT_CHARACTERS]}…"
