"""
`self.broker_client`: services invoked by messages, as 2.0 had it.

    self.broker_client.invoke_async({"action": SERVICE.PUBLISH.value, "service": "stock.count", "payload": {"id": 1}})
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.broker_message import SERVICE
from zato.common.errors import BadRequest

if TYPE_CHECKING:
    from zato.server.service import Service


class BrokerClient:
    def __init__(self, service: "Service") -> None:
        self._service = service

    def invoke_async(self, msg: Mapping[str, Any], expiration: float | None = None, **_ignored: Any) -> str:
        """
        Let any one worker of the cluster run a service, and return the cid that this sees; see `self.invoke_async`.

        Args:
            msg: A dictionary with `action`, `service`, and if need be `payload`, `cid`, `channel`, `data_format`, `environ`.
            expiration: Seconds after which it need not run any more.

        Raises:
            BadRequest: It asks for anything else than to run a service.
            NotFound: There is no such service.
        """
        return self._invoke(msg, expiration, is_broadcast=False)

    def publish(self, msg: Mapping[str, Any], *_ignored: Any, **_more: Any) -> str:
        """The same in each worker of all servers that listens now. All of them see the same cid."""
        return self._invoke(msg, None, is_broadcast=True)

    def _invoke(self, msg: Mapping[str, Any], expiration: float | None, *, is_broadcast: bool) -> str:
        from zato.server.services.asynchronous import invoke_async

        service = self._service
        entry, target = service.server.invoker.address_for(service, _service_of(msg))
        return invoke_async(
            service,
            entry.name,
            msg.get("payload", ""),
            channel=msg.get("channel") or "invoke-async",
            data_format=msg.get("data_format") or "dict",
            expires_s=expiration,
            cid=msg.get("cid"),
            environ=msg.get("environ"),
            target=target if is_broadcast or target else None,
        )


def _service_of(msg: Mapping[str, Any]) -> Any:
    action = msg.get("action", SERVICE.PUBLISH.value)
    if action not in (SERVICE.PUBLISH, SERVICE.PUBLISH.value):
        raise BadRequest(
            f"'action' takes SERVICE.PUBLISH.value, to run a service, not {action!r:.60}: there is no other broker"
        )
    if not msg.get("service"):
        raise BadRequest("'service' takes the name of the service to run")
    return msg["service"]
