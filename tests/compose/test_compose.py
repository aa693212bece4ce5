"""What `docker-compose up` brings, and what becomes of it when parts are killed, added, stopped and started again."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from zato.common.testing.load import Load
from zato.common.testing.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
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
# What the certificate of each is that we are shown, once it was checked.
SERIALS = """
import json, socket, ssl
context, shown = ssl.create_default_context(cafile="/certificates/authorities.pem"), {}
for host, port in (("postgres", 5432), ("redis", 6379), ("rabbitmq", 5671)):
    with socket.create_connection((host, port), timeout=5) as plain:
        if host == "postgres":
            plain.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
            assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname=host) as connection:
            shown[host] = connection.getpeercert()["serialNumber"]
print(json.dumps(shown))
"""
IN_CLEAR_TEXT = """
import pathlib, socket, urllib.parse
import psycopg2, redis
for name in ("odb_url", "redis_url"):
    url = urllib.parse.urlsplit(pathlib.Path(f"/cluster/server/{name}").read_text())
    try:
        if name == "odb_url":
            psycopg2.connect(url._replace(query="sslmode=disable").geturl())
        else:
            redis.Redis.from_url(url._replace(scheme="redis", query="").geturl()).ping()
        print("let in")
    except (psycopg2.OperationalError, redis.ConnectionError):
        pass
try:
    socket.create_connection(("rabbitmq", 5672), timeout=2)
    print("listens")
except ConnectionRefusedError:
    pass
"""
# Queues are the broker's, so users make them; the password comes by standard input.
MAKE_QUEUES = """
import ssl, pika
context = ssl.create_default_context(cafile="/certificates/authorities.pem")
parameters = pika.ConnectionParameters(
    "rabbitmq", 5671, credentials=pika.PlainCredentials("zato", {password!r}), ssl_options=pika.SSLOptions(context, "rabbitmq")
)
with pika.BlockingConnection(parameters) as connection:
    for queue in ("orders", "mq-orders", "mq-orders.BACKOUT"):
        connection.channel().queue_declare(queue, durable=True)
"""
MESSAGING = """
from zato.server.service import Service
class Send(Service):
    name = "orders.send"
    def handle(self):
        self.outgoing.amqp.send(self.request.http.GET["id"], "orders", "", "orders")
class Take(Service):
    name = "orders.take"
    def handle(self):
        body = self.request.amqp.msg.body
        self.kvdb.conn.sadd("orders", body)
class Taken(Service):
    name = "orders.taken"
    def handle(self):
        members = self.kvdb.conn.smembers("orders")
        self.response.payload = {"ids": sorted(each.decode() if isinstance(each, bytes) else each for each in members)}
"""
MESSAGING_OF_MQ = """
from zato.server.service import Service
class Send(Service):
    name = "mq-orders.send"
    def handle(self):
        self.outgoing.jms_wmq.send(self.request.http.GET["id"], "mq-orders", "mq-orders")
class Take(Service):
    name = "mq-orders.take"
    def handle(self):
        order = self.request.ibm_mq.data
        if order == "bad":
            raise ValueError("no such order")
        self.kvdb.conn.sadd("mq-orders", order)
class Taken(Service):
    name = "mq-orders.taken"
    def handle(self):
        members = self.kvdb.conn.smembers("mq-orders")
        self.response.payload = {"ids": sorted(each.decode() if isinstance(each, bytes) else each for each in members)}
"""
LATEST = "/currency/latest?base=USD"
# All that run for long, those first that wait for others.
PARTS = (
    "webadmin",
    "connector-mq",
    "connector-zmq",
    "connector-amqp",
    "scheduler",
    "server",
    "lb-agent",
    "rabbitmq",
    "redis",
    "postgres",
    "certificates",
    "ca",
)
# Those of them that are ours.
IMAGES = sorted(path.parent.name for path in ROOT.glob("services/*/Dockerfile"))


def test_both_versions_of_compose_read_the_same_from_the_file():
    """Of those that are here; ZATO_TEST_COMPOSE_V2 names a program that is the second one."""
    candidates = (["docker-compose"], ["docker", "compose"], [os.environ.get("ZATO_TEST_COMPOSE_V2", "docker-compose")])
    profiles = [word for profile in ("minimal", "full", "mq", "command") for word in ("--profile", profile)]
    read = {}
    for program in candidates:
        # Docker without its plugin has the command and not the subcommand.
        if shutil.which(program[0]) and subprocess.run([*program, "version"], capture_output=True).returncode == 0:
            done = subprocess.run([*program, *profiles, "config", "--services"], cwd=ROOT, capture_output=True, text=True)
            read[" ".join(program)] = (sorted(done.stdout.split()), done.stderr)
    services = {f"connector-{protocol}" for protocol in ("amqp", "zmq", "mq")} | {
        "server",
        "scheduler",
        "ca",
        "rabbitmq",
        "zato",
    }
    assert read
    for program, (found, complaints) in read.items():
        assert services <= set(found), (program, complaints)
    assert len({tuple(found) for found, _ in read.values()}) == 1, read


def test_the_sample_services_answer_through_the_load_balancer(project):
    assert project.get(LATEST)[0] == 200
    assert project.get("/currency/convert?amount=100&from=USD&to=JPY", Accept="application/xml")[1].startswith("<")
    assert project.get("/customers")[0] in (401, 403)
    status, customers = project.get("/customers", X_API_Key=project.file("examples.secrets"))
    assert (status, len(json.loads(customers))) == (200, 3)
    assert json.loads(project.get("/overview/1?currency=JPY")[1])["customer"] == "Ada Lovelace"
    assert project.get_over_https("/overview/1?currency=JPY") == project.get("/overview/1?currency=JPY")


def test_the_user_of_every_cluster_may_invoke_any_service_with_the_password_that_was_made(project):
    credentials = base64.b64encode(f"pubapi:{project.secrets['pubapi_password']}".encode()).decode()
    assert project.get("/zato/api/invoke/zato.ping", Authorization=f"Basic {credentials}")[0] == 200
    assert project.get("/zato/api/invoke/zato.ping")[0] == 401


def test_the_first_administrator_signs_in_to_the_web_admin(project):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(f"{project.webadmin_address}/sign-in", timeout=20) as page:
        token = re.search(r'name="csrf" value="([^"]+)"', page.read().decode())[1]
    form = {"csrf": token, "name": "admin", "password": project.file("admin_password")}
    with browser.open(f"{project.webadmin_address}/sign-in", urllib.parse.urlencode(form).encode(), timeout=20) as page:
        # The password that was made for her is to be changed first.
        assert (page.status, "password" in page.url) == (200, True), page.url


def test_the_zato_command_works_in_a_container_of_its_own(project):
    assert "currency.latest" in project.compose("run", "--rm", "-T", "zato", "service", "list")


def test_no_secret_is_in_a_file_of_ours_in_a_log_or_in_what_docker_shows(project):
    files = ("admin_password", "examples.secrets", "operator_token", "server/enrolment_token")
    secrets = [*project.secrets.values(), *map(project.file, files)]
    secrets += project.exec("ca", "cat", "/cluster/ca/token", "/cluster/ca/secret_key").split()
    assert len(set(secrets)) == len(secrets) >= 10
    shown = {
        "config": project.compose("config"),
        "logs": project.compose("logs", "--no-color"),
        "inspect": json.dumps(project.inspect()),
    }
    assert [where for where, text in shown.items() if any(secret in text for secret in secrets)] == []


def test_no_part_can_read_the_secrets_of_another(project):
    readable = "for f in /cluster/* /cluster/*/*; do [ -f $f ] && [ -r $f ] && echo $f; done; true"
    seen = {part: set(project.exec(part, "sh", "-c", readable).split()) for part in PARTS}
    for part in set(IMAGES) - {"server"}:
        assert not [file for file in seen[part] if not file.startswith(("/cluster/cluster.toml", f"/cluster/{part}/"))], part
    # These three are not ours, and run as the same user.
    theirs = tuple(f"/cluster/{name}" for name in ("cluster.toml", "postgres/", "redis/", "rabbitmq/"))
    for part in ("certificates", "postgres", "rabbitmq", "redis"):
        assert not [file for file in seen[part] if not file.startswith(theirs)], part


def test_nothing_runs_as_root_can_write_where_it_need_not_or_is_reached_from_elsewhere(project, docker):
    for container in project.inspect(*PARTS):
        assert container["HostConfig"]["ReadonlyRootfs"], container["Name"]
        users = docker("top", container["Id"], "-eo", "uid,pid").splitlines()[1:]
        assert users
        assert not [line for line in users if line.split()[0] == "0"], container["Name"]
        bound = [port for ports in (container["NetworkSettings"]["Ports"] or {}).values() for port in ports or ()]
        assert {port["HostIp"] for port in bound} <= {"127.0.0.1"}


def test_images_are_labelled_unprivileged_and_tell_how_they_are(project, docker):
    images = {each["Config"]["Image"]: each for each in project.inspect(*IMAGES)}
    assert sorted(images) == [f"zato-{part}" for part in IMAGES]
    for name, container in images.items():
        [image] = json.loads(docker("image", "inspect", container["Image"]))
        labels = {key.rpartition(".")[2]: value for key, value in image["Config"]["Labels"].items() if "opencontainers" in key}
        assert labels["title"] == name and labels["version"] and labels["licenses"] == "Apache-2.0", labels
        assert image["Config"]["User"] == "zato"
        assert image["Config"]["Healthcheck"]["Test"][0] == "CMD"
        assert container["State"]["Health"]["Status"] == "healthy", name
        # The init hands SIGTERM on: to the program, not to a shell that would keep it.
        assert image["Config"]["Entrypoint"] == ["tini", "--"]
        told = docker(
            "exec", container["Id"], "sh", "-c", "cat /proc/1/comm /proc/$(cut -d ' ' -f 1 /proc/1/task/1/children)/cmdline"
        )
        assert re.match(r"tini\n\S*python", told), told


def test_an_image_has_no_tools_to_build_with(project):
    tools = "for tool in gcc cc make git uv /opt/zato/bin/pip; do command -v $tool; done; ls -d /build /ours 2>/dev/null; true"
    assert {part: found for part in IMAGES if (found := project.exec(part, "sh", "-c", tools).split())} == {}


def test_what_is_in_an_image_is_listed_and_is_what_is_pinned(project, tmp_path):
    """Of the one that has packages which no other has: compiled ones, and a Java runtime."""
    file, name = tmp_path / "list.json", "zato-connector-mq"
    subprocess.run([sys.executable, "scripts/image_sbom.py", name, name, "1.2.3", file], cwd=ROOT, check=True)
    document = json.loads(file.read_text())
    assert document["metadata"]["component"]["version"] == "1.2.3"
    listed = {each["purl"].partition("?")[0].lower() for each in document["components"]}
    pinned = "".join((ROOT / "requirements" / "parts" / f"connector-mq{kind}.txt").read_text() for kind in ("", "-compiled"))
    for package, version in re.findall(r"^(\S+?)==(\S+)", pinned, re.MULTILINE):
        assert f"pkg:pypi/{package}@{version}" in listed
    assert [each for each in listed if each.startswith("pkg:deb/debian/openjdk-17-jre-headless@")]


def test_parts_take_no_calls_without_a_certificate(project):
    for address in ("server:17110", "lb-agent:20151", "scheduler:31530"):
        answer = project.exec("server", "python", "-c", WITHOUT_CERTIFICATE, address)
        assert answer.strip() == "Unreachable"
    assert "Handshake failed" in project.compose("logs", "--no-color", "server")


def test_postgresql_redis_and_rabbitmq_take_nobody_in_clear_text(project):
    assert project.python("server", IN_CLEAR_TEXT) == ""


def test_servers_that_are_not_ours_show_renewed_certificates_without_a_restart(project):
    before = json.loads(project.python("server", SERIALS))
    project.exec("certificates", "sh", "-c", "rm /certificates/*/identity.pem")
    project.kill_and_wait("certificates")

    def are_new():
        # It looks by itself every two minutes.
        project.exec("rabbitmq", "rabbitmqctl", "eval", "ssl:clear_pem_cache().")
        now = json.loads(project.python("server", SERIALS))
        return all(now[name] != serial for name, serial in before.items())

    eventually(are_new, timeout_s=60)


def test_messages_go_through_rabbitmq_to_a_service_also_when_it_is_killed(project):
    project.python("connector-amqp", MAKE_QUEUES.format(password=project.secrets["rabbitmq_password"]))
    deploy = "cat > /tmp/messaging.py && zato service deploy /tmp/messaging.py --wait 20"
    project.exec("server", "sh", "-c", deploy, stdin=MESSAGING)
    broker = ("host=rabbitmq", "port=5671", "is_tls=true", "ca_file=/certificates/authorities.pem", "username=zato")
    secret = "password=@/cluster/server/rabbitmq_password"
    project.zato("object", "create", "definition-amqp", "rabbitmq", *broker, secret)
    project.zato("object", "create", "channel-amqp", "orders", "definition=rabbitmq", "queue=orders", "service=orders.take")
    project.zato("object", "create", "outgoing-amqp", "orders", "definition=rabbitmq")
    for path in ("send", "taken"):
        project.zato("object", "create", "channel-http", f"orders-{path}", f"url_path=/orders/{path}", f"service=orders.{path}")

    def is_sent(order):
        return project.get(f"/orders/send?id={order}")[0] == 200

    def are_taken(*orders):
        return json.loads(project.get("/orders/taken")[1])["ids"] == sorted(orders)

    eventually(lambda: is_sent("first"), timeout_s=60)
    eventually(lambda: are_taken("first"), timeout_s=60)
    project.kill("rabbitmq")
    assert project.get(LATEST)[0] == 200
    eventually(lambda: is_sent("second"), timeout_s=120)
    eventually(lambda: are_taken("first", "second"), timeout_s=120)


def test_the_profile_mq_takes_and_sends_messages_by_amqp_1_0_also_when_its_connector_is_killed(project):
    project.python("connector-amqp", MAKE_QUEUES.format(password=project.secrets["rabbitmq_password"]))
    deploy = "cat > /tmp/mq_messaging.py && zato service deploy /tmp/mq_messaging.py --wait 20"
    project.exec("server", "sh", "-c", deploy, stdin=MESSAGING_OF_MQ)
    broker = ("provider=amqp10", "host=rabbitmq", "port=5671", "ssl=true", "ssl_ca_file=/certificates/authorities.pem")
    more = ("username=zato", "password=@/cluster/server/rabbitmq_password", "queue_prefix=/amq/queue/")
    create = ("object", "create", "definition-jms-wmq", "mq-rabbitmq", *broker, *more)
    # Known once the connector has said what there is.
    eventually(lambda: project.zato(*create) or True, timeout_s=60)
    take = ("queue=mq-orders", "service=mq-orders.take", "tries=2", "retry_after_s=0.1")
    project.zato("object", "create", "channel-jms-wmq", "mq-orders", "definition=mq-rabbitmq", *take)
    project.zato("object", "create", "outgoing-jms-wmq", "mq-orders", "definition=mq-rabbitmq")
    for path in ("send", "taken"):
        project.zato("object", "create", "channel-http", f"mq-{path}", f"url_path=/mq/{path}", f"service=mq-orders.{path}")

    def is_sent(order):
        return project.get(f"/mq/send?id={order}")[0] == 200

    def are_taken(*orders):
        return json.loads(project.get("/mq/taken")[1])["ids"] == sorted(orders)

    def dead_letters():
        queue = json.dumps({"queue": "channel-jms-wmq:mq-orders"})
        found = project.zato("service", "invoke", "zato.queue.get-messages", "--payload", queue)
        return [(each["attempts"], each["reason"]) for each in json.loads(found)["data"]]

    eventually(lambda: is_sent("first"), timeout_s=60)
    eventually(lambda: are_taken("first"), timeout_s=60)
    project.kill_and_wait("connector-mq")
    for order in ("second", "bad"):
        eventually(lambda order=order: is_sent(order), timeout_s=60)
    eventually(lambda: are_taken("first", "second"), timeout_s=60)
    ((attempts, reason),) = eventually(dead_letters, timeout_s=60)
    assert (attempts, "no such order" in reason) == (2, True)


def test_a_killed_redis_costs_no_request_and_comes_back(project):
    with Load(f"{project.address}{LATEST}", threads=2, pause_s=0.05) as load:
        project.kill_and_wait("redis")
        load.wait_for_more(50)
    assert load.failures == []
    eventually(lambda: project.get("/orders/taken")[0] == 200, timeout_s=60)


def test_a_killed_postgresql_costs_no_request_and_comes_back(project):
    with Load(f"{project.address}{LATEST}", threads=2, pause_s=0.05) as load:
        project.kill_and_wait("postgres")
        load.wait_for_more(50)
    assert load.failures == []
    eventually(lambda: "currency.latest" in project.zato("service", "list"), timeout_s=60)


def test_parts_that_have_their_certificate_start_without_the_authority(project):
    project.compose("stop", "ca")
    try:
        for service in ("server", "scheduler", "connector-amqp"):
            project.kill_and_wait(service)
        eventually(lambda: project.get(LATEST)[0] == 200, timeout_s=60)
        eventually(lambda: "currency.latest" in project.zato("service", "list"), timeout_s=60)
    finally:
        project.compose("start", "ca")


def test_a_killed_server_or_load_balancer_comes_back(project):
    for service in ("server", "lb-agent"):
        project.kill_and_wait(service)
        eventually(lambda: project.get(LATEST)[0] == 200, timeout_s=60)


def test_servers_that_are_added_killed_and_removed_cost_no_request(project):
    # Few enough for three servers to start meanwhile on a small machine.
    with Load(f"{project.address}{LATEST}", threads=2, pause_s=0.05) as load:
        project.up(servers=3)
        eventually(lambda: project.servers_up() == 3, timeout_s=120)
        replicas = {record["name"] for record in project.certificates() if record["purpose"] == "server"}
        assert len(replicas) >= 3 and all(name.startswith("server.") for name in replicas)
        project.kill("server")
        eventually(lambda: project.servers_up() < 3, timeout_s=60)
        eventually(lambda: project.servers_up() == 3, timeout_s=120)
        project.up(servers=2)
        eventually(lambda: project.servers_up() == 2, timeout_s=60)
        load.wait_for_more(50)
    assert load.failures == []


def test_a_job_runs_whichever_scheduler_leads(project):
    project.zato("object", "create", "scheduler-job", "ping", "job_type=interval_based", "service=pub.zato.ping", "seconds=1")

    def planned() -> list[str]:
        runs = json.loads(project.zato("service", "invoke", "zato.scheduler.job.get-run-list"))
        return [run["planned_at"] for run in runs if run["state"] == "ok"]

    eventually(planned, timeout_s=120)
    for scheduler in project.ids("scheduler"):
        project.kill_container(scheduler)
        seen = len(planned())
        eventually(lambda seen=seen: len(planned()) > seen + 1, timeout_s=120)
    times = planned()
    assert len(set(times)) == len(times)


def test_all_parts_end_by_themselves_when_told_to(project):
    project.compose("stop")
    ended = {each["Name"]: each["State"]["ExitCode"] for each in project.inspect(*PARTS)}
    assert {name: code for name, code in ended.items() if code} == {}


def test_all_parts_come_back_in_any_order(project, docker):
    """As when the machine is started again: the engine does not know who waits for whom. Here those that wait come first."""
    stopped = sorted(project.inspect(*PARTS), key=lambda each: PARTS.index(project.service_of(each)))
    docker("start", *(each["Id"] for each in stopped))
    project.await_all()
    eventually(lambda: project.get(LATEST)[0] == 200, timeout_s=60)
    eventually(lambda: project.get("/orders/taken")[0] == 200, timeout_s=60)


def test_what_was_deployed_created_and_stored_is_there_after_down_and_up(project):
    deploy = "cat > /tmp/kept.py && zato service deploy /tmp/kept.py --wait 20"
    project.exec("server", "sh", "-c", deploy, stdin=SERVICE)
    project.zato("object", "create", "channel-http", "kept", "url_path=/kept", "service=kept")
    redis = "REDISCLI_AUTH=$(cat /cluster/redis/password) redis-cli --user zato --tls --cacert /certificates/authorities.pem"
    project.exec("redis", "sh", "-c", f"{redis} set kept yes")
    before = project.secrets
    project.compose("down")
    project.change_program()
    project.up(1, "--profile", "minimal")
    assert project.ids("rabbitmq", "connector-amqp") == []
    assert project.secrets == before
    assert project.exec("redis", "sh", "-c", f"{redis} get kept").strip() == "yes"
    eventually(lambda: project.get("/kept") == (200, '{"is":"kept"}'), timeout_s=60)
    assert project.get("/customers", X_API_Key=project.file("examples.secrets"))[0] == 200


def test_down_with_its_volumes_leaves_nothing(project):
    assert project.left()
    project.compose("down", "-v")
    assert project.left() == []
