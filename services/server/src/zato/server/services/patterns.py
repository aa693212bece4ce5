"""`self.patterns`: several services at once, and services that are called until they work."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gevent

from zato.common.cid import new_cid
from zato.common.errors import ZatoError
from zato.server.services.asynchronous import service_names
from zato.server.services.task_results import final_tasks, utc_text
from zato.server.services.tasks import Pattern, Task, encode_payload

if TYPE_CHECKING:
    from zato.server.service import Service


class Patterns:
    def __init__(self, source: "Service") -> None:
        self.fanout = FanOut(source)
        self.parallel = Parallel(source)
        self.invoke_retry = InvokeRetry(source)


class FanOut:
    """Services that run at the same time, and others that run when all of them have ended."""

    def __init__(self, source: "Service") -> None:
        self._source = source

    def invoke(self, targets: Mapping[str, Any], on_final: Any, on_target: Any = None, cid: str | None = None) -> str:
        """
        Start the services `targets`, each with its payload, and return the cid of it all.

        Args:
            on_final: Services that get the outcomes of all targets, once these have ended, be it by an exception.
            on_target: Services that get each target's outcome as it ends.
        """
        return _start(self._source, "fanout", targets, on_target, on_final, cid)


class Parallel:
    """Services that run at the same time."""

    def __init__(self, source: "Service") -> None:
        self._source = source

    def invoke(self, targets: Mapping[str, Any], on_target: Any, cid: str | None = None) -> str:
        """The same without an end: `on_target` services get each target's outcome."""
        return _start(self._source, "parallel-exec", targets, on_target, (), cid)


def _start(source: "Service", kind: str, targets: Mapping[str, Any], on_target: Any, on_final: Any, cid: str | None) -> str:
    cid = cid or new_cid()
    pattern = Pattern(
        kind=kind,
        source=source.name,
        requested_at=utc_text(),
        cid=cid,
        targets=len(targets),
        on_target=service_names(source, on_target),
        on_final=service_names(source, on_final),
    )
    tasks = []
    for name, payload in targets.items():
        body, payload_format = encode_payload(payload)
        # An exception is an outcome here: it is reported, not tried again.
        tasks.append(
            Task(
                service=source.server.invoker.entry_for(source, name).name,
                cid=cid,
                payload=body,
                payload_format=payload_format,
                channel=f"{kind}-call",
                caller=source.name,
                created_at=time.time(),
                max_attempts=1,
                pattern=pattern,
            )
        )
    # With no targets there is nothing to wait for.
    source.server.tasks.publish(tasks or final_tasks(pattern, []))
    return cid


class InvokeRetry:
    """A service that is called again, a number of times, as long as it raises an exception."""

    def __init__(self, source: "Service") -> None:
        self._source = source

    def invoke(
        self,
        target: str,
        *args: Any,
        repeats: int = 1,
        seconds: float | None = None,
        minutes: float | None = None,
        async_fallback: bool = False,
        callback: Any = None,
        context: Any = None,
        **kwargs: Any,
    ) -> Any:
        """
        Call a service and return its response.

        When it raises an exception it is called again up to `repeats` times, with a pause before each: here and now, or
        with `async_fallback` in the background; then the cid of that is returned, and `callback` hears of the end.

        Raises:
            ValueError: Not exactly one of `seconds` and `minutes` is given, or there is no such callback.
            ZatoException: It failed each time.
        """
        pause_s = _pause(seconds, minutes)
        if async_fallback:
            callbacks = self._callbacks(callback)
        try:
            return self._source.invoke(target, *args, **kwargs)
        except Exception:
            if async_fallback:
                payload = args[0] if args else kwargs.get("payload", "")
                return self._later(target, payload, repeats, pause_s, callbacks, context, new_cid(), tries=repeats)
        for attempt in range(1, repeats + 1):
            gevent.sleep(pause_s)
            try:
                return self._source.invoke(target, *args, **kwargs)
            except Exception as exc:
                if attempt == repeats:
                    raise ZatoError(f"Service '{target}' failed {repeats + 1} times, the last time with: {exc}") from exc
        raise ZatoError(f"Service '{target}' failed, and 'repeats' allows no further try")

    def invoke_async(
        self,
        target: str,
        payload: Any = "",
        *,
        repeats: int = 1,
        seconds: float | None = None,
        minutes: float | None = None,
        callback: Any = None,
        context: Any = None,
        cid: str | None = None,
    ) -> str:
        """The same, the first call too in the background. Returns its cid."""
        pause_s = _pause(seconds, minutes)
        return self._later(
            target, payload, repeats, pause_s, self._callbacks(callback), context, cid or new_cid(), tries=repeats + 1
        )

    def _callbacks(self, callback: Any) -> tuple[str, ...]:
        try:
            return service_names(self._source, callback)
        except ZatoError as exc:
            raise ValueError(exc.message) from exc

    def _later(
        self,
        target: str,
        payload: Any,
        repeats: int,
        pause_s: float,
        callbacks: tuple[str, ...],
        context: Any,
        cid: str,
        *,
        tries: int,
    ) -> str:
        source = self._source
        body, payload_format = encode_payload(payload)
        task = Task(
            service=source.server.invoker.entry_for(source, target).name,
            cid=cid,
            payload=body,
            payload_format=payload_format,
            caller=source.name,
            created_at=time.time(),
            max_attempts=max(tries, 1),
            retry_after_s=pause_s,
            pattern=Pattern(
                kind="retry",
                source=source.name,
                requested_at=utc_text(),
                cid=source.cid,
                on_final=callbacks,
                repeats=repeats,
                seconds=pause_s,
                context={} if context is None else context,
            ),
        )
        source.server.tasks.publish([task], delay_s=pause_s if tries == repeats else 0.0)
        return cid


def _pause(seconds: float | None, minutes: float | None) -> float:
    if (seconds is None) == (minutes is None):
        raise ValueError("Give either 'seconds' or 'minutes' between the tries, not both and not neither")
    return float(seconds) if seconds is not None else float(minutes or 0) * 60
