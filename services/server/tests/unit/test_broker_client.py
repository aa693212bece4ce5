"""`self.broker_client`, and what a worker makes of a broadcast."""

from typing import Any

import pytest

from zato.common.broker_message import SERVICE
from zato.common.errors import BadRequest, NotFound
from zato.server.service import Service
from zato.server.services.asynchronous import run_task
from zato.server.services.broadcast import BroadcastListener
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.rules import InvokeRules
from zato.server.services.tasks import Task, encode_payload, encode_text
from zato.server.testing import Sandbox

ran: list[Any] = []


class Target(Service):
    name = "target"

    def handle(self) -> None:
        if self.request.payload == "fail":
            raise RuntimeError("on purpose")
        ran.append((self.request.payload, self.cid, self.channel.type, dict(self.environ), self.data_format))
        self.response.payload = "done"


@pytest.fixture
def sandbox() -> Sandbox:
    ran.clear()
    sandbox = Sandbox()
    sandbox.deploy(Target)
    return sandbox


def send(sandbox: Sandbox, how: str, msg: Any, **more: Any) -> Any:
    answers: list[Any] = []

    def handle(self: Service) -> None:
        answers.append(getattr(self.broker_client, how)(msg, **more))

    sandbox.invoke(type("Sender", (Service,), {"name": "sender", "handle": handle}))
    return answers[0]


@pytest.mark.parametrize("how", ["publish", "invoke_async"])
@pytest.mark.parametrize("action", [{"action": SERVICE.PUBLISH.value}, {"action": SERVICE.PUBLISH}, {}])
def test_a_message_runs_a_service(sandbox: Sandbox, how: str, action: Any) -> None:
    more = {"environ": {"a": 1}, "channel": "publish", "data_format": "json"}
    cid = send(sandbox, how, {**action, "service": "target", "payload": '{"id": 1}', "cid": "given", **more})
    sandbox.run_async()
    assert ran == [({"id": 1}, "given", "publish", {"a": 1}, "json")]
    assert cid == "given"


@pytest.mark.parametrize("how", ["publish", "invoke_async"])
def test_little_needs_to_be_said(sandbox: Sandbox, how: str) -> None:
    cid = send(sandbox, how, {"service": "target"})
    sandbox.run_async()
    assert ran == [("", cid, "invoke-async", {}, "dict")]


def test_what_may_wait_no_longer_says_so(sandbox: Sandbox) -> None:
    send(sandbox, "invoke_async", {"service": "target"}, expiration=15)
    (task,) = sandbox.tasks.published
    assert task.expires_at - task.created_at == pytest.approx(15)
    assert send(sandbox, "publish", {"service": "target@west"}) and sandbox.tasks.published[1].target == "west"


@pytest.mark.parametrize("how", ["publish", "invoke_async"])
def test_a_message_that_can_do_nothing_is_refused(sandbox: Sandbox, how: str) -> None:
    with pytest.raises(BadRequest, match="there is no other broker"):
        send(sandbox, how, {"action": "hot-deploy", "service": "target"})
    with pytest.raises(BadRequest, match="'service' takes the name"):
        send(sandbox, how, {"payload": 1})
    with pytest.raises(NotFound, match="There is no service 'nothing'"):
        send(sandbox, how, {"service": "nothing"})
    assert sandbox.tasks.published == []


# Hearing


def listener(sandbox: Sandbox, *targets: str) -> BroadcastListener:
    invoker = sandbox.server.invoker
    tasks: Any = sandbox.tasks
    rules = InvokeRules(targets=NamePatterns(targets))
    return BroadcastListener(tasks, rules, lambda task: run_task(invoker, task), spawn=lambda work, task: work(task))


def message(payload: Any = "", **more: Any) -> str:
    body, payload_format = encode_payload(payload)
    return encode_text(Task(service="target", cid="c", payload=body, payload_format=payload_format, **more))


def test_a_worker_runs_what_it_hears_with_bytes_as_bytes(sandbox: Sandbox) -> None:
    hear = listener(sandbox)
    for payload in (b"\x00\xff", "text", {"a": [1]}):
        hear(message(payload))
    assert [payload for payload, *_ in ran] == [b"\x00\xff", "text", {"a": [1]}]


def test_a_worker_drops_what_is_for_others(sandbox: Sandbox) -> None:
    hear = listener(sandbox, "east=True")
    hear(message("west", target="west"))
    hear(message("east", target="east"))
    hear(message("all"))
    assert [payload for payload, *_ in ran] == ["east", "all"]


def test_a_worker_goes_on_hearing_after_what_fails(sandbox: Sandbox) -> None:
    hear = listener(sandbox)
    for each in ("", "no task", message("fail"), message("after")):
        hear(each)
    assert [payload for payload, *_ in ran] == ["after"]


def test_callbacks_of_a_broadcast_are_invoked(sandbox: Sandbox) -> None:
    listener(sandbox)(message("x", callbacks=("target",)))
    (callback,) = sandbox.tasks.waiting
    assert (callback.service, callback.in_reply_to, callback.decoded_payload) == ("target", "c", "done")
