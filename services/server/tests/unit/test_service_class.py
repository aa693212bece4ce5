"""What a service finds on `self`, without a server."""

import base64
import json
import logging
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest

from bunch import Bunch, bunchify, unbunchify
from zato.common.errors import BadRequest, DeadlineExceeded, NotFound, Unavailable, ZatoError
from zato.common.secrets import CannotDecrypt
from zato.common.testing.waiting import eventually
from zato.server.service import Service
from zato.server.services.context import ChannelInfo, SecurityInfo
from zato.server.services.crypto import Crypto
from zato.server.services.environ import Environ
from zato.server.services.helpers import HELPERS
from zato.server.services.shell import CommandResult, Commands
from zato.server.services.times import Times
from zato.server.services.user_config import UserConfig
from zato.server.testing import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


def service(handle: Any, name: str = "under-test", **attributes: Any) -> type[Service]:
    return type("UnderTest", (Service,), {"name": name, "handle": handle, "__module__": __name__, **attributes})


def ask(sandbox: Sandbox, question: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what `question(self)` returns inside a service."""
    answers: list[Any] = []
    sandbox.invoke(service(lambda self: answers.append(question(self))), *args, **kwargs)
    return answers[0]


# Invoking others


class Target(Service):
    name = "target"

    def handle(self) -> None:
        seen = {"payload": self.request.payload, "channel": self.channel.type, "cid": self.cid, "environ": dict(self.environ)}
        self.response.payload = {**seen, "data_format": self.data_format, "raw": self.request.raw_request}


@pytest.mark.parametrize(
    ("args", "kwargs", "payload"),
    [
        (("target",), {}, ""),
        (("target", {"a": 1}), {}, {"a": 1}),
        (("target",), {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (("target", {"a": 1}), {"b": 2}, {"a": 1}),
        ((Target, [1]), {}, [1]),
        (("target", '{"a": [1]}'), {"data_format": "json"}, {"a": [1]}),
        (("target", b"a=1&b=2"), {"data_format": "form"}, {"a": "1", "b": "2"}),
        (("target", "text"), {}, "text"),
    ],
)
def test_a_service_is_invoked_by_name_or_class_with_a_payload_or_keywords(
    sandbox: Sandbox, args: Any, kwargs: Any, payload: Any
) -> None:
    sandbox.deploy(Target)
    assert ask(sandbox, lambda self: self.invoke(*args, **kwargs))["payload"] == payload


def test_a_service_is_invoked_by_its_id_or_the_name_of_its_class(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)
    id = sandbox.invoke("target").id
    assert isinstance(id, int)
    assert ask(sandbox, lambda self: self.invoke_by_id(id, 1))["payload"] == 1
    assert ask(sandbox, lambda self: self.invoke_by_id(str(id), a=2))["payload"] == {"a": 2}
    assert ask(sandbox, lambda self: self.invoke_by_impl_name("test_service_class.Target", 3))["payload"] == 3
    for call in ("invoke_by_id", "invoke_by_impl_name"):
        with pytest.raises(NotFound):
            ask(sandbox, lambda self, call=call: getattr(self, call)("0"))


def test_the_caller_says_what_the_other_one_sees(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)
    answer = ask(
        sandbox,
        lambda self: self.invoke("target", channel="publish", cid="other", environ={"b": 2}, data_format="json"),
        environ={"a": 1},
    )
    assert (answer["channel"], answer["cid"], answer["data_format"]) == ("publish", "other", "json")
    assert answer["environ"] == {"a": 1, "b": 2}


def test_what_is_added_to_the_environ_of_another_one_is_not_in_the_callers_own(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)
    assert ask(sandbox, lambda self: (self.invoke("target", environ={"b": 2}), dict(self.environ))[1]) == {}


def test_the_result_comes_in_the_form_that_is_asked_for(sandbox: Sandbox) -> None:
    sandbox.set_service_response("wrapped", {"response": {"a": [{"b": 1}]}})
    assert ask(sandbox, lambda self: self.invoke("wrapped", as_bunch=True).response.a[0].b) == 1
    assert ask(sandbox, lambda self: self.invoke("wrapped", skip_response_elem=True)) == {"a": [{"b": 1}]}
    sandbox.set_service_response("not-wrapped", {"id": 1})
    assert ask(sandbox, lambda self: self.invoke("not-wrapped", skip_response_elem=True)) == {"id": 1}
    assert json.loads(ask(sandbox, lambda self: self.invoke("wrapped", serialize=True))) == {"response": {"a": [{"b": 1}]}}
    assert ask(sandbox, lambda self: self.invoke("wrapped", serialize=True, data_format="xml")).startswith("<?xml")
    assert type(ask(sandbox, lambda self: self.invoke("wrapped"))) is dict


def test_a_service_may_not_invoke_itself_under_any_name(sandbox: Sandbox) -> None:
    for itself in ("under-test", lambda self: type(self)):
        with pytest.raises(ZatoError, match="may not invoke itself"):
            ask(sandbox, lambda self, i=itself: self.invoke(i(self) if callable(i) else i))


def test_who_waits_no_longer_than_it_said_hears_so_or_gets_nothing(sandbox: Sandbox) -> None:
    sandbox.deploy(service(lambda self: self.sleep(60), "slow"))
    with pytest.raises(DeadlineExceeded, match=r"'slow' did not end within 0\.01 s"):
        ask(sandbox, lambda self: self.invoke("slow", timeout=0.01))
    assert ask(sandbox, lambda self: self.invoke("slow", timeout=0.01, raise_timeout=False)) is None
    sandbox.deploy(Target)
    assert ask(sandbox, lambda self: self.invoke("target", 1, timeout=60))["payload"] == 1


def test_a_timeout_of_the_other_ones_own_is_not_taken_for_ours(sandbox: Sandbox) -> None:
    def handle(self: Service) -> None:
        with gevent.Timeout(0.01):
            self.sleep(60)

    sandbox.deploy(service(handle, "own-timeout"))
    with pytest.raises(gevent.Timeout):
        ask(sandbox, lambda self: self.invoke("own-timeout", timeout=60))


def test_another_service_may_be_used_as_an_object(sandbox: Sandbox) -> None:
    sandbox.deploy(service(lambda self: None, "helper", double=lambda self, number: number * 2))
    assert ask(sandbox, lambda self: self.new_instance("helper").double(2)) == 4
    assert ask(sandbox, lambda self: self.new_instance("helper").channel.type) == "new-instance"


def test_work_may_go_on_in_the_background(sandbox: Sandbox) -> None:
    assert ask(sandbox, lambda self: self.run_in_thread(lambda a, b: a + b, 1, b=2).get(timeout=10)) == 3
    assert ask(sandbox, lambda self: self.spawn(lambda: 3).get(timeout=10)) == 3


# Asynchronous calls, in a sandbox


def test_asynchronous_calls_are_kept_until_a_test_has_them_run(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)

    def handle(self: Any) -> None:
        if not self.in_reply_to:
            self.response.payload = self.invoke_async("target", {"a": 1}, callback=self, environ={"e": 1})

    cid = sandbox.invoke(service(handle)).response.payload
    (task,) = sandbox.tasks.waiting
    assert (task.service, task.decoded_payload, task.cid) == ("target", {"a": 1}, cid)
    target, callback = sandbox.run_async()
    assert (target.service, callback.service, callback.in_reply_to) == ("target", "under-test", cid)
    assert json.loads(callback.decoded_payload)["environ"] == {"e": 1}


@pytest.mark.parametrize("bad", [{"delay": -1}, {"expiration": -1}])
def test_times_are_not_below_zero(sandbox: Sandbox, bad: Any) -> None:
    sandbox.deploy(Target)
    with pytest.raises(BadRequest, match="not less than 0"):
        ask(sandbox, lambda self: self.invoke_async("target", **bad))


def test_what_cannot_be_sent_is_refused_at_once(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)
    with pytest.raises(ZatoError):
        ask(sandbox, lambda self: self.invoke_async("target", {"a": object()}))
    with pytest.raises(BadRequest, match="environ"):
        ask(sandbox, lambda self: self.invoke_async("target", environ={"a": object()}))
    assert sandbox.tasks.published == []


def test_without_a_queue_nothing_is_asynchronous(sandbox: Sandbox) -> None:
    sandbox.deploy(Target)
    sandbox.server._tasks = None
    with pytest.raises(Unavailable, match="no queue"):
        ask(sandbox, lambda self: self.invoke_async("target"))


def test_a_call_is_tried_again_until_it_works(sandbox: Sandbox) -> None:
    calls: list[Any] = []

    def fail_twice(payload: Any) -> Any:
        calls.append(payload)
        return ValueError("no") if len(calls) < 3 else "yes"

    sandbox.set_service_response("flaky", fail_twice)
    assert ask(sandbox, lambda self: self.patterns.invoke_retry.invoke("flaky", "p", repeats=5, seconds=0)) == "yes"
    assert calls == ["p"] * 3


def test_a_call_that_never_works_fails_after_its_repeats(sandbox: Sandbox) -> None:
    calls: list[Any] = []
    sandbox.set_service_response("broken", lambda payload: calls.append(payload) or ValueError("no"))
    with pytest.raises(ZatoError, match=r"failed 4 times, the last time with: no"):
        ask(sandbox, lambda self: self.patterns.invoke_retry.invoke("broken", repeats=3, seconds=0))
    assert len(calls) == 4


@pytest.mark.parametrize("arguments", [{}, {"seconds": 1, "minutes": 1}])
def test_a_pause_is_given_once(sandbox: Sandbox, arguments: Any) -> None:
    for call in ("invoke", "invoke_async"):
        with pytest.raises(ValueError, match="either 'seconds' or 'minutes'"):
            ask(sandbox, lambda self, call=call: getattr(self.patterns.invoke_retry, call)("x", **arguments))


def test_a_callback_that_is_not_there_is_a_value_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="'nothing'"):
        ask(sandbox, lambda self: self.patterns.invoke_retry.invoke("x", seconds=1, async_fallback=True, callback="nothing"))


# Attributes


def test_a_service_knows_its_names_and_where_it_was_called_from(sandbox: Sandbox) -> None:
    known = ask(sandbox, lambda self: (self.name, self.impl_name, self.data_format, self.transport, self.job_type))
    assert known == ("under-test", f"{__name__}.UnderTest", "json", None, None)
    assert ask(sandbox, lambda self: self.transport, method="GET") == "plain_http"
    assert ask(sandbox, lambda self: self.job_type, environ={"job_type": "one_time"}) == "one_time"
    assert ask(sandbox, lambda self: self.chan is self.channel)
    assert ask(sandbox, lambda self: self.out is self.outgoing)


def test_names_are_made_of_names_of_classes() -> None:
    assert Service.convert_impl_name("some_module.GetThing") == "some-module.get-thing"
    assert Target.get_impl_name() == f"{__name__}.Target"


def test_the_time_of_a_call_is_in_utc_without_saying_so(sandbox: Sandbox) -> None:
    invoked = ask(sandbox, lambda self: self.invocation_time)
    assert invoked.tzinfo is None
    assert abs(datetime.now(UTC).replace(tzinfo=None) - invoked) < timedelta(minutes=1)


def test_what_is_missing_in_the_environ_is_none(sandbox: Sandbox) -> None:
    def look(self: Any) -> Any:
        self.environ.session = "s"
        return self.environ.session, self.environ["session"], self.environ.nothing, self.environ.get("x", 1)

    assert ask(sandbox, look) == ("s", "s", None, 1)


def test_a_service_may_call_its_own_things_as_it_likes(sandbox: Sandbox) -> None:
    def handle(self: Any) -> None:
        self.time = 1
        self.cache = {}
        self.config = self.out = self.chan = self.logger = None
        self.response.payload = (self.time, self.cache)

    assert sandbox.invoke(service(handle)).response.payload == (1, {})


def test_the_workers_context_is_shared_by_all_services(sandbox: Sandbox) -> None:
    ask(sandbox, lambda self: self.server.user_ctx.update(a=1))
    with sandbox.server.user_ctx_lock:
        assert ask(sandbox, lambda self: self.server.user_ctx.a) == 1


@pytest.mark.parametrize("type", ["http", "http-soap"])
def test_a_channel_compares_with_the_text_that_it_was_in_2_0(type: str) -> None:
    channel = ChannelInfo("orders", type, "json", "crm-users")
    assert channel == "http-soap"
    assert channel != "amqp"
    assert channel in ("amqp", "http-soap")
    assert {"http-soap": 1}[channel] == 1  # type: ignore[index]
    assert f"{channel}" == str(channel) == channel.type == "http-soap"
    assert channel == ChannelInfo("orders", "http-soap", "json")
    assert channel != ChannelInfo("others", "http-soap", "json")
    assert (channel.is_http, channel.security.name, channel.sec.name) == (True, "crm-users", "crm-users")
    assert channel != 7


def test_a_channel_without_security_says_so() -> None:
    assert not ChannelInfo("a", "invoke").security
    assert SecurityInfo("users")


def test_wsgi_services_find_their_dictionary(sandbox: Sandbox) -> None:
    environ = ask(
        sandbox,
        lambda self: self.wsgi_environ,
        b"body",
        method="POST",
        path="/orders/a%20b",
        params={"id": "a b"},
        query={"x": ["1", "2"], "y": "ż"},
        headers={"Content-Type": "text/plain", "X-One": "1", "Accept-Language": "pl"},
    )
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"] == "/orders/a b"
    assert environ["QUERY_STRING"] == "x=1&x=2&y=%C5%BC"
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/plain", "4")
    assert (environ["HTTP_X_ONE"], environ["HTTP_ACCEPT_LANGUAGE"]) == ("1", "pl")
    assert environ["wsgi.input"].read() == environ["zato.http.raw_request"] == b"body"
    assert environ["zato.http.GET"] == {"x": ["1", "2"], "y": "ż"}
    assert environ["zato.http.path_params"] == {"id": "a b"}
    assert ask(sandbox, lambda self: self.wsgi_environ) == {}


def test_the_dictionary_is_with_the_request_too(sandbox: Sandbox) -> None:
    environ = ask(sandbox, lambda self: self.request.http._wsgi_environ, method="GET", headers={"Accept-Language": "pl"})
    assert (environ["HTTP_ACCEPT_LANGUAGE"], environ["REQUEST_METHOD"]) == ("pl", "GET")


def test_headers_may_be_set_through_the_wsgi_dictionary(sandbox: Sandbox) -> None:
    def handle(self: Any) -> None:
        self.wsgi_environ["zato.http.response.headers"]["X-Mine"] = "1"

    assert sandbox.invoke(service(handle), method="GET").response.headers == {"X-Mine": "1"}


# Logs


def test_input_and_output_are_logged_and_returned(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "under-test")

    def handle(self: Any) -> None:
        self.response.payload = "out"
        self.answers = (
            self.log_input("Came in:"),
            self.log_output("Went out:", level=logging.WARNING),
            self.log_input(suppress_keys=["request.payload", "environ"]),
            self.log_output(suppress_keys=("response.payload",)),
        )

    made = sandbox.invoke(service(handle), {"secret": "s3cret"}).answers  # type: ignore[attr-defined]
    assert made[0]["request.payload"] == {"secret": "s3cret"}
    assert made[0]["cid"] == sandbox.cid
    assert (made[1]["response.payload"], made[1]["wsgi_environ"]) == ("out", "(suppressed)")
    assert (made[2]["request.payload"], made[2]["environ"]) == ("(suppressed)", "(suppressed)")
    assert made[3]["response.payload"] == "(suppressed)"
    texts = [record.getMessage() for record in caplog.records]
    assert texts[0].startswith("Came in: {")
    assert texts[1].startswith("Went out: {")
    assert caplog.records[1].levelno == logging.WARNING
    assert "s3cret" in texts[0]
    assert not any("s3cret" in text for text in texts[1:])


def test_loggers_take_a_cid_as_they_did_in_2_0(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "under-test")
    ask(sandbox, lambda self: self.logger.info("It is %s", "so", cid=self.cid))
    assert [record.getMessage() for record in caplog.records] == ["It is so"]
    assert caplog.records[0].name == "under-test"


# Bunches


def test_bunches_have_attributes_at_any_depth_and_go_back() -> None:
    made = bunchify({"a": [{"b": {"c": 1}}], "t": ({"d": 2},)})
    assert (made.a[0].b.c, made.t[0].d) == (1, 2)
    made.a[0].b.e = 3
    plain = unbunchify(made)
    assert plain == {"a": [{"b": {"c": 1, "e": 3}}], "t": ({"d": 2},)}
    assert type(plain["a"][0]) is dict
    with pytest.raises(AttributeError, match="no 'x'; there is: a, t"):
        _ = made.x
    del made.t
    assert "t" not in made
    assert made.toDict() == {"a": [{"b": {"c": 1, "e": 3}}]}


def test_bunches_can_be_copied_and_sent_to_other_processes() -> None:
    for made in (Bunch(a=1), Environ(a=1)):
        again = pickle.loads(pickle.dumps(made))
        assert again == made
        assert type(again) is type(made)
        assert type(made.copy()) is type(made)


# Crypto


def test_secrets_are_encrypted_and_come_back(sandbox: Sandbox) -> None:
    encrypted = ask(sandbox, lambda self: self.crypto.encrypt("żółw"))
    assert "żółw" not in encrypted
    assert ask(sandbox, lambda self: self.crypto.decrypt(encrypted.encode())) == "żółw"
    with pytest.raises(CannotDecrypt):
        Sandbox().server.crypto.decrypt(encrypted)
    with pytest.raises(Unavailable):
        Crypto(None).encrypt("x")


def test_passwords_are_hashed_and_verified() -> None:
    crypto = Crypto(None)
    hashed = crypto.hash_secret("s3cret")
    assert hashed.startswith("$pbkdf2-sha512$100000$")
    assert hashed != crypto.hash_secret("s3cret")
    assert crypto.verify_hash(b"s3cret", hashed)
    assert not crypto.verify_hash("S3cret", hashed)


def test_a_hash_that_others_have_made_in_this_format_is_understood() -> None:
    """PBKDF2 over SHA-512 of "password" with the salt "salt", one round: a published test vector."""
    digest = bytes.fromhex(
        "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
        "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"
    )
    written = base64.b64encode(digest).decode().rstrip("=").replace("+", ".")
    assert Crypto(None).verify_hash("password", f"$pbkdf2-sha512$1$c2FsdA${written}")


@pytest.mark.parametrize(
    "broken",
    ["", "$", "s3cret", "$pbkdf2-sha256$1$YQ$YQ", "$pbkdf2-sha512$x$YQ$YQ", "$pbkdf2-sha512$1$!$YQ", "$pbkdf2-sha512$0$YQ$YQ"],
)
def test_what_is_no_hash_matches_nothing(broken: str) -> None:
    assert not Crypto(None).verify_hash("s3cret", broken)


def test_passwords_and_secrets_are_long_enough_and_differ() -> None:
    assert len(Crypto.generate_password()) == 32
    assert len(Crypto.generate_secret(512)) == 88
    assert Crypto.generate_secret() != Crypto.generate_secret()


# Time

FORMATS = {"kvdb:date-format:polish": "DD.MM.YYYY"}


def times() -> Times:
    return Times(FORMATS.get)


def test_now_and_today_have_the_format_that_is_asked_for() -> None:
    assert datetime.strptime(times().utcnow(), "%Y-%m-%d %H:%M:%S")
    assert times().utcnow(needs_format=False).tzinfo.tzname(None) == "UTC"
    assert datetime.strptime(times().today("DD.MM.YYYY"), "%d.%m.%Y")
    assert times().today(tz="Pacific/Auckland", needs_format=False).hour == 0
    assert datetime.strptime(times().utcnow("kvdb:polish"), "%d.%m.%Y")
    assert datetime.strptime(times().now("HH", "Europe/Warsaw"), "%H")


def test_times_are_written_in_another_format() -> None:
    assert times().reformat("2014-05-14", "YYYY-MM-DD", "kvdb:polish") == "14.05.2014"
    assert times().reformat("14.05.2014", "kvdb:polish", "MMMM D, YYYY") == "May 14, 2014"
    assert times().reformat(datetime(2014, 5, 14, 17), "", "HH") == "17"


def test_unknown_formats_and_what_does_not_fit_them_are_value_errors() -> None:
    with pytest.raises(ValueError, match="kvdb:date-format:missing"):
        times().utcnow("kvdb:missing")
    with pytest.raises(ValueError, match="14"):
        times().reformat("14.05.2014", "YYYY-MM-DD", "YYYY")


# User configuration


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def configuration(tmp_path: Path, files: Mapping[str, str], labels: Mapping[str, str], clock: Any = None) -> UserConfig:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    paths = {label: tmp_path / path for label, path in labels.items()}
    return UserConfig(paths, tmp_path / "user-conf", clock or Clock())


INI = "[cache]\nexpiry = 300\nlangs = en, pl\n[[deeper]]\nkey = value\n"


def test_files_are_found_by_label_and_by_their_own_names(tmp_path: Path) -> None:
    files = {"user-conf/mine.ini": INI, "crm/api.conf": INI, "genesis/config.ini": INI, "user-conf/not.txt": INI}
    config = configuration(tmp_path, files, {"crm": "crm", "genesis": "genesis/config.ini"})
    for section in (
        config.mine.cache,
        config.user.mine.cache,
        config.crm.api.cache,
        config.genesis.cache,
        config.genesis.config.cache,
        config["genesis"]["cache"],
    ):
        assert (section.expiry, section["langs"], section.deeper.key) == ("300", ["en", "pl"], "value")
    assert "mine" in config
    assert config.get("nothing", 1) == 1
    with pytest.raises(AttributeError, match="no 'nothing'"):
        _ = config.nothing


def test_toml_files_have_types(tmp_path: Path) -> None:
    config = configuration(tmp_path, {"user-conf/a.toml": "[s]\nn = 1\nl = [true]\n"}, {})
    assert (config.a.s.n, config.a.s.l) == (1, [True])


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    clock = Clock()
    config = configuration(tmp_path, {"user-conf/a.ini": "[s]\nk = 1\n"}, {}, clock)
    assert config.a.s.k == "1"
    (tmp_path / "user-conf/a.ini").write_text("[s]\nk = 22\n")
    (tmp_path / "user-conf/b.ini").write_text("[s]\nk = 3\n")
    assert config.a.s.k == "1"
    clock.now = 1.5
    assert (config.a.s.k, config.b.s.k) == ("22", "3")
    (tmp_path / "user-conf/a.ini").unlink()
    clock.now = 3
    assert "a" not in config


def test_a_file_that_cannot_be_read_keeps_what_it_had(tmp_path: Path) -> None:
    clock = Clock()
    config = configuration(tmp_path, {"user-conf/a.ini": "[s]\nk = 1\n"}, {}, clock)
    assert config.a.s.k == "1"
    (tmp_path / "user-conf/a.ini").write_text("[s\nk = 22\n")
    clock.now = 1.5
    assert config.a.s.k == "1"


def test_no_folder_is_no_configuration() -> None:
    assert UserConfig({}).get("a") is None


# Commands


def test_a_command_is_run_and_its_output_known(sandbox: Sandbox) -> None:
    result: CommandResult = ask(sandbox, lambda self: self.commands.invoke("cat; echo oops >&2", stdin="ż"))
    assert (result.is_ok, result.exit_code, result.stdout, result.stderr) == (True, 0, "ż", "oops\n")
    assert (result.len_stdout_bytes, result.len_stdout_human, result.cid) == (2, "2 B", sandbox.cid)
    assert result.start_time is not None
    assert result.end_time is not None
    assert result.start_time <= result.end_time
    assert float(result.total_time_sec) == pytest.approx(result.total_time, abs=0.001)


def commands() -> Commands:
    return Commands("cid", gevent.spawn)


def test_a_command_that_fails_says_how() -> None:
    result = commands().invoke("exit 3")
    assert (result.is_ok, result.exit_code, result.is_timeout) == (False, 3, False)
    missing = commands().invoke(["/no/such/program"])
    assert (missing.is_ok, missing.exit_code) == (False, -1)
    assert "/no/such/program" in missing.stderr


def test_a_command_that_takes_too_long_is_ended_with_what_it_started() -> None:
    result = commands().invoke("sleep 61 & echo $!; sleep 60", timeout=0.3)
    assert (result.is_ok, result.is_timeout) == (False, True)
    assert "did not end within 0.3 s" in result.timeout_msg
    child = int(result.stdout)
    eventually(lambda: not is_running(child), what="the child to be gone")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_list_is_not_for_the_shell() -> None:
    assert commands().invoke(["echo", "$HOME; echo b"]).stdout == "$HOME; echo b\n"


def test_what_is_in_no_encoding_is_replaced() -> None:
    assert commands().invoke(r"printf '\377a'", replace_char="#").stdout == "#a"


def test_a_callback_gets_the_result_now_or_later() -> None:
    results: list[CommandResult] = []
    commands().invoke("echo 1", callback=results.append)
    assert results[0].stdout == "1\n"
    accepted = commands().invoke_async("echo 2", callback=results.append)
    assert accepted.is_async
    gevent.wait(timeout=10)
    assert results[1].stdout == "2\n"


def test_a_callback_may_be_a_service_and_one_that_is_not_there_takes_no_result_away(sandbox: Sandbox) -> None:
    results: list[Any] = []
    sandbox.deploy(service(lambda self: results.append(self.request.payload), "hears"))
    for callback in ("hears", "/a/topic"):
        result = ask(sandbox, lambda self, to=callback: self.commands.invoke("echo 1", callback=to, use_pubsub=True))
        assert result.stdout == "1\n"
    assert [each["stdout"] for each in results] == ["1\n"]


def test_results_have_their_published_name() -> None:
    from zato.server import commands as published

    assert published.CommandResult is CommandResult
    assert published.COMMANDS
    with pytest.raises(AttributeError):
        _ = published.nothing


# Helpers


def test_helpers_have_their_published_names(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.deploy(*HELPERS)
    assert sandbox.invoke("zato.helpers.echo", {"a": 1}).response.payload == {"a": 1}
    assert sandbox.invoke("pub.zato.ping").response.payload == {"pong": "zato"}
    for name in ("zato.helpers.input-logger", "helpers.raw-request-logger"):
        caplog.clear()
        caplog.set_level(logging.INFO, name)
        sandbox.invoke(name, "what came in")
        assert ["what came in" in record.getMessage() for record in caplog.records] == [True]
