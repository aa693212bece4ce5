"""Between a message of ours and what IBM MQ has: a descriptor (MQMD), perhaps an MQRFH2 header, and a body."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from zato.connector_mq import rfh2
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

UTF_8 = rfh2.UTF_8
_ID_BYTES = 24
_NAME_BYTES = 48
_STRING, _NONE = "MQSTR", ""
_TENTH_MS = 100
_PERSISTENT, _NOT_PERSISTENT = 1, 0
_NEVER = -1
_LITTLE_ENDIAN = 546
_IN_GROUP = 8
_REQUEST = 1
_TEXT_FIELDS = (
    "Format",
    "ReplyToQ",
    "ReplyToQMgr",
    "UserIdentifier",
    "ApplIdentityData",
    "PutApplName",
    "PutDate",
    "PutTime",
    "ApplOriginData",
)
_NUMBERS = (
    "Report",
    "MsgType",
    "Expiry",
    "Feedback",
    "Encoding",
    "CodedCharSetId",
    "Priority",
    "Persistence",
    "BackoutCount",
    "PutApplType",
    "MsgSeqNumber",
    "MsgFlags",
)
_IDS = ("MsgId", "CorrelId", "GroupId")


def to_id(text: str) -> bytes:
    """Return 24 bytes: those that "ID:" and 48 digits say, or a short text as it is, or what stands for a long one."""
    if text.startswith("ID:"):
        try:
            return bytes.fromhex(text[3:]).ljust(_ID_BYTES, b"\0")[:_ID_BYTES]
        except ValueError:
            pass
    encoded = text.encode()
    return encoded.ljust(_ID_BYTES, b"\0") if len(encoded) <= _ID_BYTES else hashlib.sha256(encoded).digest()[:_ID_BYTES]


def from_id(value: bytes) -> str:
    """Return "ID:" and 48 digits, "" for no id."""
    return f"ID:{value.hex()}" if value.strip(b"\0") else ""


def text_of(value: Any) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
    return text.rstrip(" \0")


def split_queue(text: str) -> tuple[str, str]:
    """Return queue manager and queue of "queue://QM1/Q", "queue:///Q" or "Q"."""
    if text.startswith("queue://"):
        manager, _, name = text.removeprefix("queue://").partition("?")[0].partition("/")
        return manager, name
    return "", text


def write(mq: Any, options: DefinitionOptions, queue: str, message: MQMessage) -> tuple[Any, bytes]:
    """Return a descriptor and the content that it describes."""
    body_format = _STRING if message.is_text else _NONE
    manager, reply_to = split_queue(message.reply_to)
    md = mq.MD(
        Format=body_format.encode().ljust(8),
        Encoding=_LITTLE_ENDIAN,
        CodedCharSetId=UTF_8,
        Priority=message.priority,
        Persistence=_PERSISTENT if message.is_persistent else _NOT_PERSISTENT,
        Expiry=max(1, message.expiration_ms // _TENTH_MS) if message.expiration_ms else _NEVER,
        MsgId=to_id(message.message_id) if message.message_id else b"",
        CorrelId=to_id(message.correlation_id) if message.correlation_id else b"",
        ReplyToQ=reply_to.encode()[:_NAME_BYTES],
        ReplyToQMgr=manager.encode()[:_NAME_BYTES],
    )
    if reply_to:
        md.MsgType = _REQUEST
    if message.group_id:
        md.GroupId, md.MsgSeqNumber, md.MsgFlags = to_id(message.group_id), max(1, message.group_sequence), _IN_GROUP
    folders = _folders(options, queue, message)
    if not folders:
        return md, message.body
    header = rfh2.build(rfh2.Header(body_format, _LITTLE_ENDIAN, UTF_8, folders))
    md.Format = rfh2.FORMAT_NAME
    return md, header + message.body


def _folders(options: DefinitionOptions, queue: str, message: MQMessage) -> dict[str, dict[str, Any]]:
    folders: dict[str, dict[str, Any]] = {}
    if options.use_jms:
        manager, name = split_queue(queue)
        if options.needs_mcd or message.type:
            folders["mcd"] = {"Msd": "jms_text" if message.is_text else "jms_bytes"}
            folders["mcd"] |= {"Type": message.type} if message.type else {}
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        jms = {
            "Dst": f"queue://{manager}/{name}",
            "Rto": _uri(message.reply_to),
            "Tms": str(now_ms),
            "Exp": str(now_ms + message.expiration_ms) if message.expiration_ms else "",
            "Cid": message.correlation_id,
            "Pri": str(message.priority),
            "Dlv": "2" if message.is_persistent else "1",
            "Gid": message.group_id,
            "Seq": str(message.group_sequence) if message.group_id else "",
        }
        folders["jms"] = {key: value for key, value in jms.items() if value}
    if message.properties:
        folders["usr"] = dict(message.properties)
    return folders


def _uri(reply_to: str) -> str:
    manager, name = split_queue(reply_to)
    return f"queue://{manager}/{name}" if name else ""


def read(md: Any, content: bytes) -> MQMessage:
    """Return the message, with its problem if its header can't be read. `raw` is the descriptor and the content."""
    mqmd: dict[str, Any] = {name: text_of(getattr(md, name)) for name in _TEXT_FIELDS}
    mqmd |= {name: int(getattr(md, name)) for name in _NUMBERS}
    mqmd |= {name: from_id(getattr(md, name)) for name in _IDS}
    manager, name = mqmd["ReplyToQMgr"], mqmd["ReplyToQ"]
    sent_ms = _moment_ms(mqmd["PutDate"], mqmd["PutTime"])
    message = MQMessage(
        body=content,
        is_text=mqmd["Format"] == _STRING,
        message_id=mqmd["MsgId"],
        correlation_id=mqmd["CorrelId"],
        reply_to=(f"queue://{manager}/{name}" if manager else name),
        priority=mqmd["Priority"],
        is_persistent=mqmd["Persistence"] == _PERSISTENT,
        timestamp_ms=sent_ms,
        # What is left of it now, which is all that a descriptor says.
        expiration_ms=int(datetime.now(UTC).timestamp() * 1000) + mqmd["Expiry"] * _TENTH_MS if mqmd["Expiry"] > 0 else 0,
        delivery_count=mqmd["BackoutCount"] + 1,
        group_id=mqmd["GroupId"],
        group_sequence=mqmd["MsgSeqNumber"] if mqmd["GroupId"] else 0,
        mqmd=mqmd,
        raw=(md, content),
    )
    try:
        return (
            _with_header(message, mqmd)
            if mqmd["Format"] == text_of(rfh2.FORMAT_NAME)
            else _as_utf_8(message, mqmd["CodedCharSetId"])
        )
    except rfh2.BadHeader as exc:
        return replace(message, problem=f"Its MQRFH2 cannot be read: {exc}")


def _with_header(message: MQMessage, mqmd: Mapping[str, Any]) -> MQMessage:
    header, body = rfh2.parse(message.body, mqmd["Encoding"])
    jms, mcd = header.folders.get("jms", {}), header.folders.get("mcd", {})
    # Where both say something the header counts: the descriptor has room for less.
    found = replace(
        message,
        body=body,
        is_text=header.format == _STRING,
        type=str(mcd.get("Type") or ""),
        correlation_id=str(jms.get("Cid") or message.correlation_id),
        reply_to=str(jms.get("Rto") or message.reply_to).removeprefix("queue:///"),
        timestamp_ms=_number(jms.get("Tms"), message.timestamp_ms),
        expiration_ms=_number(jms.get("Exp"), message.expiration_ms),
        group_id=str(jms.get("Gid") or message.group_id),
        group_sequence=_number(jms.get("Seq"), message.group_sequence),
        properties=dict(header.folders.get("usr", {})),
    )
    return _as_utf_8(found, header.ccsid)


def _as_utf_8(message: MQMessage, ccsid: int) -> MQMessage:
    """The queue manager converts to UTF-8; what it could not convert is bytes."""
    if not message.is_text:
        return message
    codec = _CODECS.get(ccsid)
    try:
        return replace(message, body=message.body.decode(codec or "utf-8").encode())
    except UnicodeDecodeError:
        return replace(message, is_text=False)


_CODECS = {
    UTF_8: "utf-8",
    819: "latin-1",
    437: "cp437",
    850: "cp850",
    1200: "utf-16-be",
    500: "cp500",
    1250: "cp1250",
    1252: "cp1252",
}


def _number(text: Any, otherwise: int) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 19 else otherwise


def _moment_ms(date: str, time: str) -> int:
    """Return YYYYMMDD and HHMMSS with hundredths as milliseconds since the epoch, 0 for none."""
    try:
        moment = datetime.strptime(date + time[:6], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return 0
    hundredths = int(time[6:8]) if time[6:8].isdecimal() else 0
    return int(moment.timestamp() * 1000) + hundredths * 10


def rewrite(mq: Any, message: MQMessage, add: Mapping[str, Any], drop: Collection[str]) -> tuple[Any, bytes]:
    """
    Return a message as it came, with its id, but with further properties and without some.

    One whose header can't be read goes without any change: nothing can be said in it.
    """
    md, content = message.raw
    kept = mq.MD(**{name: getattr(md, name) for name in _KEPT})
    # Without its expiry: a dead letter is not to vanish.
    kept.Expiry = _NEVER
    if message.problem:
        return kept, content
    header, body = rfh2.Header(text_of(md.Format), md.Encoding, md.CodedCharSetId), content
    if text_of(md.Format) == text_of(rfh2.FORMAT_NAME):
        header, body = rfh2.parse(content, md.Encoding)
    usr = {name: value for name, value in header.folders.get("usr", {}).items() if name not in drop}
    folders = {**header.folders, "usr": {**usr, **add}}
    if not folders["usr"]:
        del folders["usr"]
    if not folders:
        kept.Format, kept.Encoding, kept.CodedCharSetId = header.format.encode().ljust(8), header.encoding, header.ccsid
        return kept, body
    kept.Format, kept.Encoding, kept.CodedCharSetId = rfh2.FORMAT_NAME, _LITTLE_ENDIAN, UTF_8
    return kept, rfh2.build(replace(header, folders=folders)) + body


_KEPT = (
    "Report",
    "MsgType",
    "Feedback",
    "Encoding",
    "CodedCharSetId",
    "Format",
    "Priority",
    "Persistence",
    "MsgId",
    "CorrelId",
    "ReplyToQ",
    "ReplyToQMgr",
    "GroupId",
    "MsgSeqNumber",
    "MsgFlags",
)
