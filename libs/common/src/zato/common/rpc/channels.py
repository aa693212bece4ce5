"""A channel that is made anew when the certificate, the key or the authorities change, under stubs that stay the same."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zato.common.rpc.material import Material, MaterialReader


class ReloadingChannel:
    """
    Takes the place of a channel of gRPC's, threaded or asyncio: stubs are made of it and calls go through it.

    Args:
        make: Makes a channel with such files.
        retire: Is handed the channel before; calls may still run on it.
    """

    def __init__(self, reader: "MaterialReader", *, make: Callable[["Material"], Any], retire: Callable[[Any], None]) -> None:
        self._reader = reader
        self._make = make
        self._retire = retire
        self._lock = threading.Lock()
        self._material = reader.newest()
        self._channel = make(self._material)

    def current(self) -> Any:
        material = self._reader.newest()
        if material is not self._material:
            with self._lock:
                if material is not self._material:
                    old, self._channel, self._material = self._channel, self._make(material), material
                    self._retire(old)
        return self._channel

    def unary_unary(self, *args: Any, **kwargs: Any) -> "_Method":
        return _Method(self, "unary_unary", args, kwargs)

    def unary_stream(self, *args: Any, **kwargs: Any) -> "_Method":
        return _Method(self, "unary_stream", args, kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> "_Method":
        return _Method(self, "stream_unary", args, kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> "_Method":
        return _Method(self, "stream_stream", args, kwargs)

    def close(self, *args: Any) -> Any:
        return self._channel.close(*args)

    def __getattr__(self, name: str) -> Any:
        # What else a channel can, e.g. `subscribe` and `channel_ready`, concerns the one that there is now.
        return getattr(self.current(), name)


class _Method:
    """A multi-callable: of the channel that is current when it is called."""

    def __init__(self, channels: ReloadingChannel, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._channels = channels
        self._make = (kind, args, kwargs)
        self._made: tuple[Any, Any] = (None, None)

    def _current(self) -> Any:
        channel = self._channels.current()
        made = self._made
        if made[0] is not channel:
            kind, args, kwargs = self._make
            made = self._made = (channel, getattr(channel, kind)(*args, **kwargs))
        return made[1]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._current()(*args, **kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Any:
        return self._current().future(*args, **kwargs)

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        return self._current().with_call(*args, **kwargs)
