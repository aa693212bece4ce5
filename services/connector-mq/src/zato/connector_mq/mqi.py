"""
The provider `mqi`: IBM MQ by its own client library, which whoever has a queue manager may have of IBM.

`ibmmq` is the binding; the library is loaded before it, from where the setting `mq_library` says.
"""

import ctypes
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.errors import Unavailable, ZatoError
from zato.connector_mq import mqi_messages as wire
from zato.connector_mq.config import MQSettings
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

_MOST_QUEUES = 100
_BACKED_OUT = 2003
_NO_MESSAGE = 2033
_NOT_AUTHORISED = 2035
# What the queue manager does not take, however often it is sent. Everything else may be otherwise in a moment.
_REFUSED = frozenset(
    {
        2005,  # MQRC_BUFFER_LENGTH_ERROR
        2026,  # MQRC_MD_ERROR
        2027,  # MQRC_MISSING_REPLY_TO_Q
        2029,  # MQRC_MSG_TYPE_ERROR
        2030,  # MQRC_MSG_TOO_BIG_FOR_Q
        2031,  # MQRC_MSG_TOO_BIG_FOR_Q_MGR
        2035,  # MQRC_NOT_AUTHORIZED
        2047,  # MQRC_PERSISTENCE_ERROR
        2048,  # MQRC_PERSISTENT_NOT_ALLOWED
        2050,  # MQRC_PRIORITY_ERROR
        2085,  # MQRC_UNKNOWN_OBJECT_NAME
        2086,  # MQRC_UNKNOWN_OBJECT_Q_MGR
        2087,  # MQRC_UNKNOWN_REMOTE_Q_MGR
        2092,  # MQRC_XMIT_Q_USAGE_ERROR
        2152,  # MQRC_OBJECT_NAME_ERROR
        2334,  # MQRC_RFH_ERROR
        2420,  # MQRC_EPH_ERROR
    }
)
_library_lock = threading.Lock()


class MQIProvider:
    def __init__(self, settings: MQSettings, options: DefinitionOptions) -> None:
        if not options.channel:
            raise Unavailable("The definition names no 'channel': IBM MQ takes clients through a server-connection channel")
        self._mq = _load(settings)
        self._options = options

    def connect(self) -> "MQISession":
        return MQISession(self._mq, self._options)


def _load(settings: MQSettings) -> Any:
    with _library_lock:
        try:
            # So that the binding finds it loaded already, wherever it is; elsewhere the system's loader looks for it.
            if settings.mq_library.exists():
                ctypes.CDLL(str(settings.mq_library), mode=ctypes.RTLD_GLOBAL)
            import ibmmq
        except ImportError as exc:
            raise Unavailable(
                "The provider mqi needs 'zato-connector-mq[mqi]' and IBM's MQ client, whose libmqm_r.so "
                f"the setting 'mq_library' names, now {settings.mq_library}: {exc}"
            ) from exc
        except OSError as exc:
            raise Unavailable(f"{settings.mq_library} cannot be loaded: {exc}") from exc
    return ibmmq


class MQISession:
    """One connection handle and its unit of work."""

    def __init__(self, mq: Any, options: DefinitionOptions) -> None:
        self._mq = mq
        self._options = options
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[tuple[str, str], Any] = {}
        self._manager: Any = None
        try:
            with self._errors(lambda reason: Unavailable(f"{options.host}:{options.port} does not let us in: {reason}")):
                self._manager = self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> Any:
        mq, options = self._mq, self._options
        constants = mq.CMQC
        # We connect anew ourselves: a connection that does so unseen leaves open what became of the unit of work.
        cno = mq.CNO(Options=constants.MQCNO_RECONNECT_DISABLED)
        cd = mq.CD(Version=mq.CMQXC.MQCD_VERSION_8, HeartbeatInterval=options.heartbeat_s)
        sco = None
        if options.ssl:
            cd.SSLCipherSpec = options.ssl_cipher_spec.encode()
            sco = mq.SCO(
                KeyRepository=options.ssl_key_repository.encode(), CertificateLabel=options.ssl_certificate_label.encode()
            )
        manager = mq.QueueManager(None)
        address = options.host if "(" in options.host else f"{options.host}({options.port})"
        manager.connect_tcp_client(
            options.queue_manager,
            cd,
            options.channel,
            address,
            options.username or None,
            options.password if options.username else None,
            cno=cno,
            sco=sco,
        )
        return manager

    def receive(self, queue: str, wait_s: float, message_id: str = "") -> MQMessage | None:
        mq, constants = self._mq, self._mq.CMQC
        options = (
            constants.MQGMO_SYNCPOINT
            | constants.MQGMO_WAIT
            | constants.MQGMO_CONVERT
            | constants.MQGMO_FAIL_IF_QUIESCING
            | constants.MQGMO_PROPERTIES_FORCE_MQRFH2
        )
        md = mq.MD(CodedCharSetId=wire.UTF_8)
        match = constants.MQMO_NONE
        if message_id:
            md.MsgId, match = wire.to_id(message_id), constants.MQMO_MATCH_MSG_ID
        gmo = mq.GMO(Options=options, WaitInterval=max(1, int(wait_s * 1000)), MatchOptions=match)
        with self._errors(lambda reason: Unavailable(f"The queue {queue} cannot be read: {reason}")):
            return self._get(self._input(queue), md, gmo)

    def _get(self, queue: Any, md: Any, gmo: Any) -> MQMessage | None:
        try:
            content = queue.get(None, md, gmo)
        except self._mq.MQMIError as exc:
            if exc.reason == _NO_MESSAGE:
                return None
            if exc.comp != self._mq.CMQC.MQCC_WARNING:
                raise
            # It is ours, and stands as it came: its text could not be converted, for one.
            content = exc.message
        return wire.read(md, content)

    def _input(self, name: str) -> Any:
        constants = self._mq.CMQC
        if name not in self._inputs:
            options = constants.MQOO_INPUT_SHARED | constants.MQOO_FAIL_IF_QUIESCING
            self._inputs[name] = self._mq.Queue(self._manager, name, options)
        return self._inputs[name]

    def commit(self) -> None:
        try:
            self._manager.commit()
        except self._mq.MQMIError as exc:
            error = NotSent if exc.reason == _BACKED_OUT else InDoubt
            raise error(f"The queue manager did not commit: {_reason(exc)}") from None

    def roll_back(self) -> None:
        with self._errors(lambda reason: Unavailable(f"The queue manager went away: {reason}")):
            self._manager.backout()

    def send(self, queue: str, message: MQMessage) -> str:
        md, content = wire.write(self._mq, self._options, queue, message)
        self._put(queue, md, content)
        return wire.from_id(md.MsgId)

    def forward(self, queue: str, message: MQMessage, add: Mapping[str, Any], drop: Collection[str]) -> None:
        md, content = wire.rewrite(self._mq, message, add, drop)
        self._put(queue, md, content)

    def _put(self, queue: str, md: Any, content: bytes) -> None:
        constants = self._mq.CMQC
        options = constants.MQPMO_SYNCPOINT | constants.MQPMO_FAIL_IF_QUIESCING
        try:
            self._output(queue).put(content, md, self._mq.PMO(Options=options))
        except self._mq.MQMIError as exc:
            error = Refused if exc.reason in _REFUSED else NotSent
            raise error(f"It cannot be sent to {queue}: {_reason(exc)}") from None
        finally:
            if not self._options.cache_open_send_queues or len(self._outputs) > _MOST_QUEUES:
                self._close_all(self._outputs)

    def _output(self, queue: str) -> Any:
        constants, key = self._mq.CMQC, wire.split_queue(queue)
        if key not in self._outputs:
            manager, name = key
            od = self._mq.OD(ObjectName=name.encode(), ObjectQMgrName=manager.encode())
            self._outputs[key] = self._mq.Queue(self._manager, od, constants.MQOO_OUTPUT | constants.MQOO_FAIL_IF_QUIESCING)
        return self._outputs[key]

    def browse(self, queue: str, limit: int) -> list[MQMessage]:
        mq, constants = self._mq, self._mq.CMQC
        found: list[MQMessage] = []
        with self._errors(lambda reason: Unavailable(f"The queue {queue} cannot be looked at: {reason}")):
            opened = mq.Queue(self._manager, queue, constants.MQOO_BROWSE | constants.MQOO_FAIL_IF_QUIESCING)
            try:
                step = constants.MQGMO_BROWSE_FIRST
                while len(found) < limit:
                    options = step | constants.MQGMO_CONVERT | constants.MQGMO_PROPERTIES_FORCE_MQRFH2
                    gmo = mq.GMO(Options=options, MatchOptions=constants.MQMO_NONE)
                    message = self._get(opened, mq.MD(CodedCharSetId=wire.UTF_8), gmo)
                    if message is None:
                        break
                    found.append(replace(message, delivery_count=1))
                    step = constants.MQGMO_BROWSE_NEXT
            finally:
                opened.close()
        return found

    def count(self, queue: str, limit: int) -> int:
        return len(self.browse(queue, limit))

    def backout_queue(self, queue: str) -> str:
        """Return its BOQNAME; nothing where we may not ask for it."""
        try:
            opened = self._mq.Queue(self._manager, queue, self._mq.CMQC.MQOO_INQUIRE)
            try:
                return wire.text_of(opened.inquire(self._mq.CMQC.MQCA_BACKOUT_REQ_Q_NAME))
            finally:
                opened.close()
        except self._mq.MQMIError as exc:
            if exc.reason == _NOT_AUTHORISED:
                return ""
            raise Unavailable(f"The queue {queue} cannot be asked for its backout queue: {_reason(exc)}") from None

    def keep_alive(self) -> None:
        # The client sends heartbeats itself; this shows whether it still gets any.
        with self._errors(lambda reason: Unavailable(f"The connection is lost: {reason}")):
            try:
                self._manager.inquire(self._mq.CMQC.MQCA_Q_MGR_NAME)
            except self._mq.MQMIError as exc:
                if exc.reason != _NOT_AUTHORISED:
                    raise

    def close(self) -> None:
        manager, self._manager = self._manager, None
        if manager is None:
            return
        # Disconnecting commits what is open: whoever did not commit does not want that.
        with suppress(self._mq.Error):
            manager.backout()
        self._close_all(self._inputs)
        self._close_all(self._outputs)
        with suppress(self._mq.Error):
            manager.disconnect()

    def _close_all(self, queues: dict[Any, Any]) -> None:
        while queues:
            with suppress(self._mq.Error):
                queues.popitem()[1].close()

    @contextmanager
    def _errors(self, make: Callable[[str], ZatoError]) -> Iterator[None]:
        try:
            yield
        except self._mq.MQMIError as exc:
            raise make(_reason(exc)) from None
        except self._mq.PYIFError as exc:
            raise make(str(exc)) from None


def _reason(exc: Any) -> str:
    """Return e.g. "MQRC 2085, UNKNOWN_OBJECT_NAME"."""
    name = str(exc.error_as_string()).partition(": ")[2].removeprefix("MQRC_")
    return f"MQRC {exc.reason}, {name}"
