"""What `docker-compose up` brings, and what becomes of it when parts are killed, added, stopped and started again."""

import base64
import json

from zato.common.testing.load import Load
from zato.common.testing.waiting import eventually

SERVICE = """
from zato.server.service import Service
class Kept(Service):
    name = "kept"
    def handle(self):
        self.response.payload = {"is": "kept"}
"""
# Token and all, but in clear text.
WITHOUT_CERTIFICATE = """
import pathlib, sys
from zato.common.errors import ZatoError
from zato.common.rpc.client import Client
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
client = Client(sys.argv[1], token=pathlib.Path("/cluster/server/token").read_text())
try:
    client.call(InvokerStub(client.channel).Invoke, InvokeRequest(service="zato.ping"), timeout_s=5)
    print("let in")
except ZatoError as exc:
    print(type(exc).__name__)
"""
LATEST = "/currency/latest?base=USD"


def test_the_sample_services_answer_through_the_load_balancer(project):
    assert project.get(LATEST)[0] == 200
    assert project.get("/currency/convert?amount=100&from=USD&to=JPY", Accept="application/xml")[1].startswith("<")
    assert project.get("/customers")[0] in (401, 403)
    status, customers = project.get("/customers", X_API_Key=project.file("examples.secrets"))
    assert (status, len(json.loads(customers))) == (200, 3)
    assert json.loads(project.get("/overview/1?currency=JPY")[1])["customer"] == "Ada Lovelace"


def test_the_user_of_every_cluster_may_invoke_any_service_with_the_password_that_was_made(project):
    credentials = base64.b64encode(f"pubapi:{project.secrets['pubapi_password']}".encode()).decode()
    assert project.get("/zato/api/invoke/zato.ping", Authorization=f"Basic {credentials}")[0] == 200
    assert project.get("/zato/api/invoke/zato.ping")[0] == 401


def test_the_zato_command_works_in_a_container_of_its_own(project):
    assert "currency.latest" in project.compose("run", "--rm", "-T", "zato", "service", "list")


def test_no_secret_is_in_a_file_of_ours_in_a_log_or_in_what_docker_shows(project):
    files = ("admin_password", "examples.secrets", "operator_token", "server/enrolment_token")
    secrets = [*project.secrets.values(), *map(project.file, files)]
    secrets += project.compose("exec", "-T", "ca", "cat", "/cluster/ca/token", "/cluster/ca/secret_key").split()
    assert len(set(secrets)) == len(secrets) >= 10
    shown = {
        "config": project.compose("config"),
        "logs": project.compose("logs", "--no-color"),
        "inspect": json.dumps(project.inspect()),
    }
    assert [where for where, text in shown.items() if any(secret in text for secret in secrets)] == []


def test_no_part_can_read_the_secrets_of_another(project):
    readable = "for f in /cluster/* /cluster/*/*; do [ -f $f ] && [ -r $f ] && echo $f; done; true"
    parts = ("ca", "lb-agent", "redis", "scheduler")
    seen = {part: set(project.compose("exec", "-T", part, "sh", "-c", readable).split()) for part in parts}
    assert not [file for file in seen["scheduler"] if not file.startswith(("/cluster/cluster.toml", "/cluster/scheduler/"))]
    assert not [file for file in seen["ca"] if not file.startswith(("/cluster/cluster.toml", "/cluster/ca/"))]
    assert not [file for file in seen["lb-agent"] if not file.startswith(("/cluster/cluster.toml", "/cluster/lb-agent/"))]
    assert not [file for file in seen["redis"] if file.startswith(("/cluster/server", "/cluster/lb-agent", "/cluster/secrets"))]


def test_nothing_runs_as_root_and_only_this_machine_reaches_it(project, docker):
    for container in project.inspect("postgres", "redis", "ca", "lb-agent", "server", "scheduler"):
        users = docker("top", container["Id"], "-eo", "uid,pid").splitlines()[1:]
        assert users
        assert not [line for line in users if line.split()[0] == "0"], container["Name"]
        bound = [port for ports in (container["NetworkSettings"]["Ports"] or {}).values() for port in ports or ()]
        assert {port["HostIp"] for port in bound} <= {"127.0.0.1"}


def test_parts_take_no_calls_without_a_certificate(project):
    for address in ("server:17110", "lb-agent:20151", "scheduler:31530"):
        answer = project.compose("exec", "-T", "server", "python", "-c", WITHOUT_CERTIFICATE, address)
        assert answer.strip() == "Unavailable"
    assert "Handshake failed" in project.compose("logs", "--no-color", "server")


def test_parts_that_have_their_certificate_start_without_the_authority(project):
    project.compose("stop", "ca")
    try:
        for service in ("server", "scheduler"):
            before = project.started_at(service)
            project.kill(service)
            eventually(lambda service=service, before=before: project.started_at(service) != before, timeout_s=30)
        eventually(lambda: project.get(LATEST)[0] == 200, timeout_s=30)
        eventually(lambda: "currency.latest" in project.zato("service", "list"), timeout_s=30)
    finally:
        project.compose("start", "ca")


def test_a_killed_server_or_load_balancer_comes_back(project):
    for service in ("server", "lb-agent"):
        before = project.started_at(service)
        project.kill(service)
        eventually(lambda service=service, before=before: project.started_at(service) != before, timeout_s=30)
        eventually(lambda: project.get(LATEST)[0] == 200, timeout_s=30)


def test_servers_that_are_added_killed_and_removed_cost_no_request(project):
    # Few enough for three servers to start meanwhile on a small machine.
    with Load(f"{project.address}{LATEST}", threads=2, pause_s=0.05) as load:
        project.up(servers=3)
        eventually(lambda: project.servers_up() == 3, timeout_s=60)
        replicas = {record["name"] for record in project.certificates() if record["purpose"] == "server"}
        assert len(replicas) >= 3 and all(name.startswith("server.") for name in replicas)
        project.kill("server")
        eventually(lambda: project.servers_up() < 3, timeout_s=30)
        eventually(lambda: project.servers_up() == 3, timeout_s=60)
        project.up(servers=1)
        eventually(lambda: project.servers_up() == 1, timeout_s=30)
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 50, timeout_s=30)
    assert load.failures == []


def test_a_job_runs_whichever_scheduler_leads(project):
    project.zato("object", "create", "scheduler-job", "ping", "job_type=interval_based", "service=pub.zato.ping", "seconds=1")

    def planned() -> list[str]:
        runs = json.loads(project.zato("service", "invoke", "zato.scheduler.job.get-run-list"))
        return [run["planned_at"] for run in runs if run["state"] == "ok"]

    eventually(planned, timeout_s=60)
    before = project.started_at("scheduler")
    project.kill("scheduler")
    eventually(lambda: project.started_at("scheduler") != before, timeout_s=30)
    seen = len(planned())
    eventually(lambda: len(planned()) > seen, timeout_s=60)
    times = planned()
    assert len(set(times)) == len(times)


def test_what_was_deployed_created_and_stored_is_there_after_down_and_up(project):
    deploy = "cat > /tmp/kept.py && zato service deploy /tmp/kept.py --wait 20"
    project.compose("exec", "-T", "server", "sh", "-c", deploy, stdin=SERVICE)
    project.zato("object", "create", "channel-http", "kept", "url_path=/kept", "service=kept")
    redis = "REDISCLI_AUTH=$(cat /cluster/redis/password) redis-cli"
    project.compose("exec", "-T", "redis", "sh", "-c", f"{redis} set kept yes")
    before = project.secrets
    project.compose("down")
    project.up()
    assert project.secrets == before
    assert project.compose("exec", "-T", "redis", "sh", "-c", f"{redis} get kept").strip() == "yes"
    eventually(lambda: project.get("/kept") == (200, '{"is":"kept"}'), timeout_s=20)
    assert project.get("/customers", X_API_Key=project.file("examples.secrets"))[0] == 200


def test_all_parts_end_by_themselves_when_told_to(project):
    project.compose("stop")
    assert {each["Name"]: each["State"]["ExitCode"] for each in project.inspect() if each["State"]["ExitCode"]} == {}
    project.up()


def test_down_with_its_volumes_leaves_nothing(project):
    assert project.left()
    project.compose("down", "-v")
    assert project.left() == []
