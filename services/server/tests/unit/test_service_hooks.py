"""What runs around a handler, in which order, and what comes of what it raises."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from zato.common.errors import BadRequest
from zato.server.service import Service
from zato.server.services.context import ChannelInfo
from zato.server.services.environ import Environ
from zato.server.services.finding import NotDeployable, describe_service, services_in
from zato.server.services.invoke import in_process_request
from zato.server.services.schemas import BadSchema, Schemas
from zato.server.testing import make_invoker

HTTP = ChannelInfo("orders", "http", "json")
JOB = ChannelInfo("job", "scheduler")

BEFORE = ("accept", "before_job", "before_cron_style_job", "before_handle", "validate_input")
AFTER = ("validate_output", "after_handle", "after_job", "after_cron_style_job", "finalize_handle")
OTHER_JOBS = tuple(f"{when}_{kind}_job" for when in ("before", "after") for kind in ("one_time", "interval_based"))


def service_with(fails: str = "", **attributes: Any) -> type[Service]:
    """Return a service that has every hook, each of which notes that it ran; the one called `fails` raises."""

    def make(name: str) -> Callable[[Service], Any]:
        def step(self: Service) -> bool:
            self.environ.setdefault("ran", []).append(name)
            if name == fails:
                raise KeyError(name)
            return True

        return step

    steps = {name: make(name) for name in (*BEFORE, "handle", *AFTER, *OTHER_JOBS)}
    return type("Hooked", (Service,), {"name": "hooked", "__module__": __name__, **steps, **attributes})


def run(cls: type[Service], channel: ChannelInfo = HTTP, payload: Any = "", **environ: Any) -> tuple[Any, Environ]:
    entries = Environ(environ)
    invoker = make_invoker(cls)
    response = invoker.invoke(cls.get_name(), in_process_request(payload), cid="c", channel=channel, environ=entries)
    return response, entries


def test_hooks_run_in_the_order_that_was_published() -> None:
    _, environ = run(service_with(), JOB, job_type="cron_style")
    assert environ["ran"] == [*BEFORE, "handle", *AFTER]


def test_hooks_of_jobs_run_for_jobs_only() -> None:
    _, environ = run(service_with())
    assert environ["ran"] == [name for name in (*BEFORE, "handle", *AFTER) if not name.endswith("_job")]
    _, environ = run(service_with(), JOB)
    assert [name for name in environ["ran"] if name.endswith("_job")] == ["before_job", "after_job"]


@pytest.mark.parametrize("name", [name for name in (*BEFORE, *AFTER) if name not in ("accept",) and "validate" not in name])
def test_what_a_hook_raises_is_logged_and_the_next_one_runs(name: str) -> None:
    _, environ = run(service_with(fails=name), JOB, job_type="cron_style")
    assert environ["ran"] == [*BEFORE, "handle", *AFTER]


@pytest.mark.parametrize("name", ["accept", "validate_input", "handle", "validate_output"])
def test_what_the_handler_and_the_validations_raise_is_the_answer_and_nothing_runs_after_it(name: str) -> None:
    environ = Environ(job_type="cron_style")
    invoker = make_invoker(service_with(fails=name))
    with pytest.raises(KeyError, match=name):
        invoker.invoke("hooked", in_process_request(""), cid="c", channel=JOB, environ=environ)
    assert environ["ran"][-1] == name


def test_what_is_not_accepted_is_not_run_and_gets_400_with_nothing_in_it() -> None:
    response, environ = run(service_with(accept=lambda self: False))
    assert (response.status_code, response.payload) == (400, "")
    assert "ran" not in environ


def test_a_service_may_switch_its_hooks_off_but_not_its_validations() -> None:
    _, environ = run(service_with(call_hooks=False), JOB, job_type="cron_style")
    assert environ["ran"] == ["accept", "validate_input", "handle", "validate_output"]


def test_how_long_it_took_is_known_in_the_end_and_not_before() -> None:
    seen: dict[str, Any] = {}

    class Timed(Service):
        name = "timed"

        def handle(self) -> None:
            seen["handle"] = (self.handle_return_time, self.processing_time, self.processing_time_raw)

        def after_handle(self) -> None:
            seen["after_handle"] = (self.handle_return_time, self.processing_time, self.processing_time_raw)

        def finalize_handle(self) -> None:
            seen["finalize"] = (self.handle_return_time, self.processing_time, self.processing_time_raw, self.invocation_time)

    run(Timed)
    assert seen["handle"] == seen["after_handle"] == (None, None, None)
    returned, milliseconds, raw, invoked = seen["finalize"]
    assert milliseconds == int(raw.total_seconds() * 1000)
    assert invoked <= returned
    assert returned.tzinfo is None


def test_what_takes_too_long_is_logged() -> None:
    class Quick(Service):
        name = "quick"
        slow_threshold = 1e-9

        def handle(self) -> None: ...

    class Hooked(Quick):
        name = "hooked"

        def before_handle(self) -> None: ...

    for cls in (Quick, Hooked):
        with capture_logs() as lines:
            run(cls)
        assert [(line["event"], line["service"]) for line in lines] == [("service_slow", cls.get_name())]


# JSON Schema


class Customer(Service):
    name = "customer"
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}  # noqa: RUF012

    def handle(self) -> None:
        self.response.payload = "ran"


def deployed(cls: type[Service], schemas: Schemas | None = None) -> Any:
    from types import ModuleType

    module = ModuleType(cls.__module__)
    module.Customer = cls  # type: ignore[attr-defined]
    (entry,) = services_in(module, "m", file_name="m.py", version=1, schemas=schemas)
    return entry


def test_input_that_does_not_fit_the_schema_is_refused_before_any_hook() -> None:
    ran: list[str] = []

    class Checked(Customer):
        def before_handle(self) -> None:
            ran.append("before_handle")

    Checked.__module__ = __name__
    invoker = make_invoker(deployed(Checked))
    with pytest.raises(BadRequest, match="id"):
        invoker.invoke("customer", in_process_request({"id": "x"}), cid="c", channel=HTTP)
    assert ran == []
    assert invoker.invoke("customer", in_process_request({"id": 1}), cid="c", channel=HTTP).payload == "ran"
    assert ran == ["before_handle"]


def test_a_schema_may_be_a_file_of_the_server(tmp_path: Any) -> None:
    (tmp_path / "customer.json").write_text('{"required": ["name"]}')
    cls = type("Customer", (Customer,), {"schema": "customer.json", "__module__": __name__})
    entry = deployed(cls, Schemas(tmp_path))
    with pytest.raises(BadRequest, match="name"):
        entry.check_input({})
    entry.check_input({"name": 1})
    absolute = type("Customer", (Customer,), {"schema": str(tmp_path / "customer.json"), "__module__": __name__})
    assert deployed(absolute).check_input is not None


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("missing.json", "cannot be read"),
        ("broken.json", "is not JSON"),
        ({"type": "nothing"}, "is no JSON Schema"),
        ({"$ref": "http://127.0.0.1:1/x.json"}, "refers to"),
        ({"$ref": "other.json"}, "refers to|is no JSON Schema"),
    ],
)
def test_a_service_with_a_bad_schema_is_not_deployed(tmp_path: Any, schema: Any, reason: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(BadSchema, match=reason):
        Schemas(tmp_path).compile(schema)
    cls = type("Customer", (Customer,), {"schema": schema, "__module__": __name__})
    with pytest.raises(NotDeployable, match="Customer"):
        deployed(cls, Schemas(tmp_path))


@pytest.mark.parametrize("schema", [None, "", {}, object(), dict, 7])
def test_what_is_no_schema_is_none(schema: Any) -> None:
    assert Schemas().compile(schema) is None


def test_a_schema_needs_a_folder_to_be_found_in() -> None:
    with pytest.raises(BadSchema, match="no folder"):
        Schemas().compile("customer.json")


def test_a_plain_service_has_no_steps() -> None:
    class Plain(Service):
        def handle(self) -> None: ...

    assert describe_service(Plain, "m").is_plain
    assert not describe_service(service_with(), "m").is_plain
