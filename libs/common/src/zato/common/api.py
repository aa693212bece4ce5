"""
`zato.common.api`: constants and errors that users' services import, and nothing else.

The name is a published one. What belongs to the platform has a module that is named for its subject.
"""

from dataclasses import dataclass, field

from zato.common.exception import *  # noqa: F403
from zato.common.exception import __all__ as _errors

ZATO_OK = "ZATO_OK"
ZATO_ERROR = "ZATO_ERROR"
ZATO_NONE = "ZATO_NONE"


class DATA_FORMAT:
    """How requests and responses are written."""

    CSV = "csv"
    DICT = "dict"
    FIXED_WIDTH = "fixed-width"
    FORM = FORM_DATA = "form"
    HL7 = "hl7"
    JSON = "json"
    LIST = "list"
    POST = "post"
    SOAP = "soap"
    XML = "xml"


class CHANNEL:
    """What a service may be invoked through: `self.channel.type`."""

    AMQP = "amqp"
    AUDIT = "audit"
    DELIVERY = "delivery"
    FANOUT_CALL = "fanout-call"
    FANOUT_ON_FINAL = "fanout-on-final"
    FANOUT_ON_TARGET = "fanout-on-target"
    HTTP_SOAP = "http-soap"
    IBM_MQ = WEBSPHERE_MQ = "websphere-mq"
    INTERNAL_CHECK = "internal-check"
    INVOKE = "invoke"
    INVOKE_ASYNC = "invoke-async"
    INVOKE_ASYNC_CALLBACK = "invoke-async-callback"
    IPC = "ipc"
    JMS_WMQ = "jms-wmq"
    JSON_RPC = "json-rpc"
    NEW_INSTANCE = "new-instance"
    NOTIFIER_RUN = "notifier-run"
    NOTIFIER_TARGET = "notifier-target"
    PARALLEL_EXEC_CALL = "parallel-exec-call"
    PARALLEL_EXEC_ON_TARGET = "parallel-exec-on-target"
    PUBLISH = "publish"
    SCHEDULER = "scheduler"
    SCHEDULER_AFTER_ONE_TIME = "scheduler-after-one-time"
    SERVICE = "service"
    STARTUP_SERVICE = "startup-service"
    URL_DATA = "url-data"
    WEB_SOCKET = "web-socket"
    WORKER = "worker"
    ZMQ = "zmq"


class URL_TYPE:
    PLAIN_HTTP = "plain_http"
    SOAP = "soap"


class SCHEDULER_JOB_TYPE:
    """Kinds of jobs: `self.job_type`."""

    ONE_TIME = "one_time"
    INTERVAL_BASED = "interval_based"
    CRON_STYLE = "cron_style"


class SCHEDULER:
    JOB_TYPE = SCHEDULER_JOB_TYPE


class HTTP_METHOD:
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"
    HEAD = "HEAD"


@dataclass
class SMTPMessage:
    """
    A mail to send: `self.email.smtp.get("name").conn.send(message)`.

    Args:
        to: One address or several; so are `cc` and `bcc`.
        attachments: What `attach` was given: a dictionary each, with `name` and `contents`.
    """

    from_: str = ""
    to: str | list[str] = ""
    subject: str = ""
    body: str = ""
    attachments: list[dict[str, str | bytes]] = field(default_factory=list)
    cc: str | list[str] = ""
    bcc: str | list[str] = ""
    is_html: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    charset: str = "utf8"
    is_rfc2231: bool = True

    def attach(self, name: str, contents: str | bytes) -> None:
        self.attachments.append({"name": name, "contents": contents})


__all__ = [
    *_errors,
    "CHANNEL",
    "DATA_FORMAT",
    "HTTP_METHOD",
    "SCHEDULER",
    "SMTPMessage",
    "URL_TYPE",
    "ZATO_ERROR",
    "ZATO_NONE",
    "ZATO_OK",
]
