"""Which cluster is meant, and calling its servers, with real gRPC servers."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from zato.common.cli.admin import Admin, Servers, add_cluster_arguments, connect, find_cluster, find_servers
from zato.common.errors import Forbidden, InvalidOptions, NotFound, Unauthorized, Unavailable
from zato.common.rpc.server import ThreadedServer
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest, InvokeResponse
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerServicer, add_InvokerServicer_to_server

TOKEN = "open sesame"


class Server(InvokerServicer):
    """Answers with its name and what it was asked, and remembers the calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[str] = []
        self._grpc = ThreadedServer(
            "127.0.0.1:0", token=TOKEN, services=[], add=lambda server: add_InvokerServicer_to_server(self, server)
        )
        self._grpc.start()
        self.address = f"127.0.0.1:{self._grpc.port}"

    def Invoke(self, request: InvokeRequest, context: grpc.ServicerContext) -> InvokeResponse:
        if request.service == "zato.ping":
            return InvokeResponse(payload=b"{}")
        self.calls.append(request.service)
        if request.service == "forbidden":
            raise Forbidden("You may not do this")
        if request.service == "down":
            raise Unavailable("The database is away", database="odb")
        if request.service == "text":
            return InvokeResponse(payload=b"not JSON", content_type="text/plain")
        answer = {"server": self.name, "asked": json.loads(request.payload or b"null")}
        return InvokeResponse(payload=json.dumps(answer).encode(), content_type="application/json")

    def stop(self) -> None:
        self._grpc.stop(0)


@pytest.fixture
def start() -> Iterator[Callable[[str], Server]]:
    servers: list[Server] = []

    def start(name: str) -> Server:
        servers.append(Server(name))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def admin_of(*servers: Server, token: str = TOKEN) -> Admin:
    return Admin(Servers(tuple(server.address for server in servers), token, "the test's cluster"))


def test_a_service_is_invoked_with_json(start: Callable[[str], Server]) -> None:
    with admin_of(start("one")) as admin:
        assert admin.invoke("anything", {"a": [1]}) == {"server": "one", "asked": {"a": [1]}}
        assert admin.invoke("anything") == {"server": "one", "asked": None}
        assert admin.invoke_raw("text", b"") == (b"not JSON", "text/plain")


def test_a_call_that_may_be_repeated_goes_to_the_next_server_when_one_is_away(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    one.stop()
    with admin_of(one, two) as admin:
        assert admin.invoke("anything", is_idempotent=True)["server"] == "two"


def test_a_call_that_must_not_be_repeated_finds_a_live_server_first(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    one.stop()
    with admin_of(one, two) as admin:
        assert admin.invoke("create")["server"] == "two"


def test_a_call_that_must_not_be_repeated_is_sent_once_even_if_the_answer_is_unavailable(
    start: Callable[[str], Server],
) -> None:
    one, two = start("one"), start("two")
    with admin_of(one, two) as admin, pytest.raises(Unavailable, match="The database is away"):
        admin.invoke("down")
    assert one.calls + two.calls == ["down"]


def test_one_server_is_used_for_all_calls(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    with admin_of(one, two) as admin:
        for _ in range(3):
            admin.invoke("anything")
            admin.invoke("anything", is_idempotent=True)
    assert (len(one.calls), len(two.calls)) == (6, 0)


def test_one_server_of_several_can_be_asked(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    with admin_of(one, two) as admin:
        assert admin.invoke("anything", server=two.address)["server"] == "two"
        assert admin.addresses == (one.address, two.address)


def test_errors_of_the_service_come_out_as_themselves_and_are_not_repeated(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    with admin_of(one, two) as admin, pytest.raises(Forbidden, match="You may not do this"):
        admin.invoke("forbidden", is_idempotent=True)
    assert two.calls == []


def test_a_wrong_token_is_refused(start: Callable[[str], Server]) -> None:
    with admin_of(start("one"), token="let me in") as admin, pytest.raises(Unauthorized):
        admin.invoke("anything")


def test_when_nobody_answers_the_message_says_whom_we_asked(start: Callable[[str], Server]) -> None:
    one, two = start("one"), start("two")
    one.stop()
    two.stop()
    for is_idempotent in (True, False):
        with admin_of(one, two) as admin, pytest.raises(Unavailable) as caught:
            admin.invoke("anything", is_idempotent=is_idempotent)
        said = str(caught.value)
        assert said == f"No server of the test's cluster answers (tried {one.address}, {two.address}): is the cluster started?"


# Which cluster


def options_from(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_cluster_arguments(parser)
    return parser.parse_args(arguments)


def make_cluster(path: Path, address: str = "127.0.0.1:1") -> Path:
    path.mkdir(parents=True)
    (path / "cluster.toml").write_text(
        f'name = "x"\n[[parts]]\nname = "redis"\npart = "redis"\n[[parts]]\npart = "server"\ngrpc_address = "{address}"\n'
    )
    (path / "secrets.toml").write_text(f'token = "{TOKEN}"\n')
    return path


def test_the_cluster_is_the_given_one_then_the_variable_s_then_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = make_cluster(tmp_path / "project" / "var" / "quickstart")
    below = tmp_path / "project" / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_cluster(None, {}) == near
    assert find_cluster(None, {"ZATO_CLUSTER": "/a"}) == Path("/a")
    assert find_cluster(Path("/b"), {"ZATO_CLUSTER": "/a"}) == Path("/b")
    monkeypatch.chdir(near)
    assert find_cluster(None, {}) == near


def test_without_a_cluster_the_message_says_how_to_make_or_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFound, match=r"make one with 'zato quickstart create', or name one with --cluster PATH"):
        find_cluster(None, {})


def test_the_servers_and_the_token_come_from_the_cluster_s_folder(tmp_path: Path, start: Callable[[str], Server]) -> None:
    server = start("one")
    path = make_cluster(tmp_path / "c", server.address)
    with connect(options_from("--cluster", str(path))) as admin:
        assert admin.invoke("anything")["server"] == "one"


def test_a_server_may_be_named_with_a_token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ZATO_TOKEN", raising=False)
    file = tmp_path / "token"
    file.write_text("abc\n")
    servers = find_servers(options_from("--server", "10.0.0.1:17110", "--token-file", str(file)))
    assert (servers.addresses, servers.token) == (("10.0.0.1:17110",), "abc")
    with pytest.raises(InvalidOptions, match=r"--server needs somebody's token: 'zato login --server 10\.0\.0\.1:17110' first"):
        find_servers(options_from("--server", "10.0.0.1:17110"))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("cluster.toml", "name = ", "is not valid TOML"),
        ("cluster.toml", "name = 'x'", "names no servers, or no token"),
        ("secrets.toml", "", "names no servers, or no token"),
    ],
)
def test_a_damaged_cluster_is_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    path = make_cluster(tmp_path / "c")
    (path / file).write_text(text)
    with pytest.raises(InvalidOptions, match=said):
        find_servers(options_from("--cluster", str(path)))


def test_a_folder_without_a_cluster_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"There is no cluster in {tmp_path}"):
        find_servers(options_from("--cluster", str(tmp_path)))
