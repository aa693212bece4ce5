"""What browsers are told to refuse, forms of others, and who may see and do what."""

import http.client
import json
import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import APIRequestContext

from zato.common.cli.operator import operator_tls
from zato.common.rpc.client import Client
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.webadmin.app import create_app
from zato.webadmin.config import WebAdminSettings

from .matrix import ACTS, LOOKS, ROLES, served, things_in

# What stands in the paths of the matrix.
_NAMED = ("connection", "namespace", "security", "cid", "sample", "version")


def requests_of(browser, cluster, signed_in, role) -> APIRequestContext:
    return browser.new_context(base_url=cluster.url, storage_state=signed_in[role]).request


def csrf_of(requests: APIRequestContext) -> str:
    return re.search(r'name="csrf" value="(\w+)"', requests.get("/account/settings").text())[1]


def test_every_page_and_form_is_in_the_matrix():
    app = create_app(WebAdminSettings(token="t", redis_url="redis://127.0.0.1:1"))
    assert served(app) == (LOOKS.keys(), ACTS.keys())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_and_does_what_it_may_and_no_more(browser, cluster, signed_in, role):
    requests = requests_of(browser, cluster, signed_in, role)
    things, rank = things_in(cluster), ROLES.index(role)

    def may(wanted: str) -> bool:
        return rank >= ROLES.index(wanted)

    seen = {name: requests.get(look.path.format(**things)).status for name, look in LOOKS.items()}
    assert seen == {name: 200 if may(look.role) else 403 for name, look in LOOKS.items()}
    token, wrong = csrf_of(requests), {}
    for name, act in ACTS.items():
        form = {field: value.replace("{role}", role) for field, value in act.form.items()} | {"csrf": token}
        status = requests.post(act.path.format(**things), form=form, max_redirects=0).status
        if status >= 500 or (status != 403) != may(act.role):
            wrong[name] = status
    assert wrong == {}


def test_no_form_is_taken_without_the_token_of_its_session(browser, cluster, signed_in):
    requests = requests_of(browser, cluster, signed_in, "admin")
    paths = [act.path.format(**dict.fromkeys(_NAMED, "1")) for act in ACTS.values()] + ["/sign-out"]
    statuses = {path: requests.post(path, form={"csrf": "0" * 64}, max_redirects=0).status for path in paths}
    assert statuses == dict.fromkeys(paths, 400)


def test_what_is_shown_in_the_menu_may_be_opened(browser, cluster, signed_in):
    for role in ROLES:
        requests = requests_of(browser, cluster, signed_in, role)
        menu = requests.get("/").text().partition("<main")[0]
        for link in set(re.findall(r'href="(/[^"]*)"', menu)):
            if not link.startswith("/static/"):
                assert requests.get(link).status == 200, f"{role} at {link}"


def test_strangers_see_nothing_but_the_door(browser, cluster):
    requests = browser.new_context(base_url=cluster.url).request
    paths = [look.path.format(**dict.fromkeys(_NAMED, "1")) for look in LOOKS.values()]
    for path in (*paths, "/traffic/live", "/services/nothing"):
        answer = requests.get(path, max_redirects=0)
        assert answer.status == 302, path
        assert answer.headers["location"].startswith("/sign-in")
    for act in ACTS.values():
        path = act.path.format(**dict.fromkeys(_NAMED, "1"))
        assert requests.post(path, max_redirects=0).status in (302, 400), path


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/static/app.css"])
def test_browsers_are_told_what_to_refuse(browser, cluster, signed_in, path):
    headers = requests_of(browser, cluster, signed_in, "admin").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    if not path.startswith("/static"):
        assert headers["cache-control"] == "no-store"


def test_the_cookie_is_for_us_alone(browser, cluster):
    requests = browser.new_context(base_url=cluster.url).request
    cookie = requests.get("/sign-in").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (None, {}),
        ("0" * 64, {}),
        ("right", {"Origin": "https://elsewhere.example"}),
        ("right", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_form_of_another_site_is_refused(browser, cluster, signed_in, token, headers):
    requests = requests_of(browser, cluster, signed_in, "admin")
    form = {"is_paused": "true"}
    if token is not None:
        form["csrf"] = csrf_of(requests) if token == "right" else token
    assert requests.post("/scheduler/paused", form=form, headers=headers, max_redirects=0).status == 400


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:1"]
)
def test_signing_in_leads_nowhere_else(browser, cluster, signed_in, target):
    requests = requests_of(browser, cluster, signed_in, "viewer")
    assert requests.get("/sign-in", params={"next": target}, max_redirects=0).headers["location"] == "/"


def test_what_is_uploaded_is_looked_at(browser, cluster, signed_in):
    requests = requests_of(browser, cluster, signed_in, "admin")
    token = csrf_of(requests)

    def upload(name: str, content: bytes) -> int:
        file = {"name": name, "mimeType": "text/x-python", "buffer": content}
        return requests.post("/services/deploy", multipart={"csrf": token, "files": file}).status

    assert upload("../../etc/passwd.py", b"x = 1") == 400
    assert upload("evil.sh", b"x = 1") == 415
    assert upload("binary.py", b"\0\1\2") == 400
    assert upload("large.py", b"#" * 5_000_001) == 413


def test_who_guesses_passwords_waits_and_the_owner_elsewhere_does_not(browser, cluster):
    context = browser.new_context(base_url=cluster.url)
    requests = context.request
    statuses = []
    for _ in range(14):
        page = requests.get("/sign-in").text()
        token = re.search(r'name="csrf" value="(\w+)"', page)[1]
        answer = requests.post("/sign-in", form={"csrf": token, "name": "somebody", "password": "wrong"})
        statuses.append(answer.status)
        if answer.status == 429:
            assert int(answer.headers["retry-after"]) >= 1
            break
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_the_audit_log_has_the_address_of_the_browser_and_believes_nobody_but_the_web_admin(cluster, signed_in):
    def address_of(name: str) -> str:
        (entry,) = cluster.invoke("zato.audit-log.get-list", {"kind": "message-namespace", "name": name})["data"]
        return entry["address"]

    # A browser on another machine, as far as one machine can have it.
    host, port = cluster.part("webadmin")["http_address"].split(":")
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in signed_in["deployer"]["cookies"])
    browser = http.client.HTTPConnection(host, int(port), timeout=20, source_address=("127.0.0.77", 0))
    browser.request("GET", "/account/settings", headers={"Cookie": cookies})
    token = re.search(r'name="csrf" value="(\w+)"', browser.getresponse().read().decode())[1]
    form = urlencode({"csrf": token, "name": "from-a-browser", "o-value": "urn:n"})
    # What it says of itself counts nothing without a proxy that we were told of.
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "192.0.2.1"}
    browser.request("POST", "/objects/message-namespace/new", form, headers)
    assert browser.getresponse().status == 302
    browser.close()
    assert address_of("from-a-browser") == "127.0.0.77"

    client = Client(cluster.part("server1")["grpc_address"], token=cluster.token, tls=operator_tls(cluster.folder))
    values = json.dumps({"name": "from-an-operator", "value": "urn:n"}).encode()
    request = InvokeRequest(service="zato.message-namespace.create", payload=values)
    client.call(InvokerStub(client.channel).Invoke, request, timeout_s=20, address="127.0.0.77")
    client.close()
    assert address_of("from-an-operator") == "127.0.0.1"
