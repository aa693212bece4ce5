"""The admin API in SOAP, as clients written for 2.0 call it."""

import base64
from typing import Any

import pytest
from lxml import etree

from .conftest import Answer, Server, StartServer

pytestmark = pytest.mark.redis

PASSWORD = "correct horse battery"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ZATO = "https://zato.io/ns/20130518"
PING = "<zato:zato_ping_request>{}</zato:zato_ping_request>"
SERVICES = """
from zato.server.service import Service

class Hello(Service):
    name = "users.hello"

    def handle(self):
        self.response.payload = {"hello": "you"}
"""


class Client:
    def __init__(self, server: Server, name: str = "", password: str = PASSWORD) -> None:
        self._server = server
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}"} if name else {}

    def post(self, action: str, body: bytes, path: str = "/zato/soap") -> Answer:
        headers = {**self.headers, "SOAPAction": f'"{action}"', "Content-Type": "text/xml; charset=utf-8"}
        answer: Answer = self._server.request("POST", path, body, headers)
        return answer

    def answer(self, service: str, inside: str = "", request: str = "") -> Answer:
        name = request or service.replace(".", "_").replace("-", "_") + "_request"
        return self.post(service, envelope(f"<zato:{name}>{inside}</zato:{name}>"))

    def __call__(self, service: str, inside: str = "") -> Any:
        """What is in the Body."""
        answer = self.answer(service, inside)
        assert answer.status == 200, answer.body
        (response,) = body_of(answer)
        assert etree.QName(response).localname == service.replace(".", "_").replace("-", "_") + "_response"
        assert text(response, "zato_env/result") == "ZATO_OK" and text(response, "zato_env/cid") == answer.cid
        return response


def envelope(inside: str) -> bytes:
    head = f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns:zato="{ZATO}"><soapenv:Header/>'
    return f"{head}<soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>".encode()


def body_of(answer: Answer) -> Any:
    return etree.fromstring(answer.body).find(f"{{{ENVELOPE}}}Body")


def text(element: Any, path: str) -> str:
    found = element.find("/".join(f"{{{ZATO}}}{name}" for name in path.split("/")))
    assert found is not None, etree.tostring(element)
    return found.text or ""


def fault(answer: Answer) -> tuple[str, str]:
    (found,) = body_of(answer)
    assert found.tag == f"{{{ENVELOPE}}}Fault", answer.body
    return found.findtext("faultcode").partition(":")[2], found.findtext("faultstring")


def fields(**values: str) -> str:
    return "".join(f"<zato:{name}>{value}</zato:{name}>" for name, value in values.items())


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server()
    server.wait_until_grpc_serves()
    server.deploy("users.py", SERVICES)
    for name, role in (("ann", "admin"), ("vic", "viewer")):
        server.admin("zato.account.create", name=name, role=role, password=PASSWORD, must_change_password=False)
    return server


@pytest.fixture
def soap(server: Server) -> Client:
    return Client(server, "ann")


def test_objects_are_created_listed_edited_and_deleted(server: Server, soap: Client) -> None:
    made = soap("zato.channel-http.create", fields(name="a", url_path="/a", service="zato.ping", merge_url_params_req="false"))
    id = text(made, "item/id")
    got = soap("zato.channel-http.get", fields(id=id))
    assert text(got, "item/name") == "a" and text(got, "item/merge_url_params_req") == "false"
    (listed,) = soap("zato.channel-http.get-list", fields(query="/a")).find(f"{{{ZATO}}}item_list")
    assert etree.QName(listed).localname == "item" and text(listed, "url_path") == "/a"
    page = soap("zato.channel-http.get-list", fields(cur_page="1", page_size="5"))
    assert len(page.find(f"{{{ZATO}}}item_list")) == 1 and text(page, "_meta/total") == "1"
    soap("zato.channel-http.edit", fields(id=id, timeout_s="2.5", is_active="false"))
    assert text(soap("zato.channel-http.get", fields(name="a")), "item/is_active") == "false"
    assert server.admin("zato.channel-http.get", name="a")["timeout_s"] == 2.5
    soap("zato.channel-http.delete", fields(id=id))
    answer = soap.answer("zato.channel-http.get", fields(name="a"))
    assert answer.status == 404 and "There is no channel-http" in fault(answer)[1]
    (entry,) = server.admin("zato.audit-log.get-list", name="a", action="delete")["data"]
    assert (entry["who"], entry["address"]) == ("ann", "127.0.0.1")


def test_published_names_take_published_fields(soap: Client) -> None:
    made = soap("zato.security.basic-auth.create", fields(cluster_id="1", name="b", is_active="true", username="u", realm="R"))
    id = text(made, "item/id")
    channel = fields(
        cluster_id="1",
        name="c",
        is_active="true",
        connection="channel",
        transport="plain_http",
        is_internal="false",
        url_path="/c",
        service="zato.ping",
        security_id=id,
        data_format="",
    )
    soap("zato.http-soap.create", channel)
    found = soap("zato.http-soap.get-list", fields(connection="channel", transport="plain_http", paginate="true"))
    (item,) = found.find(f"{{{ZATO}}}item_list")
    assert (text(item, "security_id"), text(item, "sec_type"), text(item, "service_name")) == (id, "basic_auth", "zato.ping")
    passwords = fields(id=id, password1="new", password2="new")
    assert soap("zato.security.basic-auth.change-password", passwords).find(f"{{{ZATO}}}item") is None


def test_lists_and_what_is_nil_are_read(server: Server, soap: Client) -> None:
    statuses = "<zato:retry_statuses><zato:item>500</zato:item><zato:item>503</zato:item></zato:retry_statuses>"
    soap("zato.outgoing-http.create", fields(name="o", host="http://127.0.0.1:9") + statuses)
    assert server.admin("zato.outgoing-http.get", name="o")["retry_statuses"] == ["500", "503"]
    nil = '<zato:planned_at xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/><zato:objects/>'
    assert text(soap("zato.enmasse.apply", nil), "item/is_applied") == "false"


def test_what_xml_has_no_form_for_is_told_all_the_same(server: Server, soap: Client) -> None:
    document = soap("zato.openapi.get", fields(document="admin"))
    paths = document.find(f"{{{ZATO}}}item/{{{ZATO}}}paths")
    assert "/zato/json/zato.ping" not in {each.get("name") for each in paths}
    assert "/zato/json/zato.cluster.get-status" in {each.get("name") for each in paths}
    server.admin("zato.message-namespace.create", name="odd", value="a\x01b\ufffe")
    assert text(soap("zato.message-namespace.get", fields(name="odd")), "item/value") == "a\ufffdb\ufffd"


def test_whoever_has_too_small_a_role_or_none_is_refused(server: Server) -> None:
    viewer, nobody, wrong = Client(server, "vic"), Client(server), Client(server, "ann", "wrong")
    assert viewer("zato.ping") is not None
    answer = viewer.answer("zato.channel-http.create", fields(name="no", url_path="/no", service="zato.ping"))
    assert answer.status == 403 and "takes the role deployer" in fault(answer)[1]
    for client in (nobody, wrong):
        answer = client.answer("zato.ping")
        assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic")
        assert fault(answer)[0] == "Client"
    # A password takes the server longer to check than most services take, and there are hundreds of them.
    token = text(viewer("zato.account.create-token", fields(name="all", expires_days="1")), "item/token")
    viewer.headers = {"Authorization": f"Bearer {token}"}
    document = server.admin("zato.openapi.get", document="admin")
    for path, each in document["paths"].items():
        refused = viewer.answer(path.removeprefix("/zato/json/")).status == 403
        assert refused == (each["post"]["x-zato-role"] != "viewer"), path


def test_a_token_does_as_well(server: Server, soap: Client) -> None:
    token = text(soap("zato.account.create-token", fields(name="program", expires_days="1")), "item/token")
    soap.headers = {"Authorization": f"Bearer {token}"}
    assert text(soap("zato.account.get-own"), "item/name") == "ann"


def test_whose_password_has_to_be_changed_does_that_and_nothing_else(server: Server) -> None:
    made = server.admin("zato.account.create", name="new", role="admin")
    new = Client(server, "new", made["password"])
    answer = new.answer("zato.channel-http.get-list")
    assert answer.status == 403 and "has to be changed" in fault(answer)[1]
    new("zato.account.change-own-password", fields(old_password=made["password"], new_password=PASSWORD))
    assert Client(server, "new")("zato.channel-http.get-list") is not None


@pytest.mark.parametrize(
    ("action", "body", "status", "says"),
    [
        ("zato.ping", b"no xml", 400, "not well-formed"),
        ("zato.ping", b"<a/>", 400, "not a SOAP envelope"),
        ("zato.ping", b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope(PING.format("&b;")), 400, ""),
        ("zato.ping", b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x">' + envelope(PING.format("")), 400, "DOCTYPE"),
        ("zato.ping", envelope(PING.format("<zato:a>" * 300 + "</zato:a>" * 300)), 400, ""),
        ("zato.ping", envelope("<zato:a>" * 30 + "</zato:a>" * 30), 500, "zato_ping_request"),
        ("zato.ping", envelope(""), 500, "not nothing"),
        ("zato.kind.get-list", envelope("<zato:zato_ping_request/>"), 500, "zato_kind_get_list_request in its Body"),
        ("zato.no-such.thing", envelope("<zato:zato_no_such_thing_request/>"), 404, "There is no service"),
        ("", envelope("<zato:zato_ping_request/>"), 404, "no admin service"),
        ("users.hello", envelope("<zato:users_hello_request/>"), 404, "no admin service"),
        ("zato.admin.over-soap", envelope("<zato:zato_admin_over_soap_request/>"), 404, "no admin service"),
        (
            "zato.channel-http.get",
            envelope("<zato:zato_channel_http_get_request><zato:id>one</zato:id></zato:zato_channel_http_get_request>"),
            500,
            "'id' takes a whole number, not 'one'",
        ),
    ],
)
def test_what_is_wrong_is_a_fault_that_says_so(soap: Client, action: str, body: bytes, status: int, says: str) -> None:
    answer = soap.post(action, body)
    assert answer.status == status, answer.body
    code, details = fault(answer)
    assert code == "Client" and says in details


def test_what_is_too_deep_is_not_read(soap: Client) -> None:
    deep = "<zato:a>" * 30 + "</zato:a>" * 30
    answer = soap.answer("zato.account.get-list", deep)
    assert answer.status == 500 and "too deep" in fault(answer)[1]


def test_it_can_be_switched_off(start_server: StartServer) -> None:
    server = start_server(admin_over_http=False)
    assert Client(server).answer("zato.ping").status == 404
