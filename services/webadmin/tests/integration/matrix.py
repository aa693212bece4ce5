"""
Every page and every form of the web admin, and the least role that it takes. A test compares the two with what the application
serves, so what is added there is added here.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Any

from zato.common.errors import AlreadyExists
from zato.common.testing.waiting import eventually

ROLES = ("viewer", "operator", "developer", "deployer", "admin")
# A stream that does not end; what signs in and out; what programs ask for.
_APART = {"static", "home.live", "account.sign_in", "account.begin", "account.sign_out", "health.ready"}
_SOURCE = """
from zato.server.service import Service
class InMatrix(Service):
    name = "matrix.service"
    def handle(self):
        self.response.payload = {}
"""


@dataclass(frozen=True)
class Look:
    """
    A page.

    Args:
        path: Where {…} stand for what the cluster has, by `things_in`.
        is_whole: Not a part that a page asks for, nor a file.
    """

    path: str
    role: str = "viewer"
    is_whole: bool = True


@dataclass(frozen=True)
class Act:
    """A form. Whoever may send it gets an answer that is no refusal, though what they send may make no sense."""

    path: str
    role: str
    form: dict[str, str] = field(default_factory=dict)


LOOKS = {
    "home.page": Look("/"),
    "home.traffic": Look("/traffic?span=hour", is_whole=False),
    "account.change_password": Look("/account/password"),
    "account.security": Look("/account/security"),
    "account.settings": Look("/account/settings"),
    "accounts.index": Look("/accounts/", "admin"),
    "accounts.new": Look("/accounts/new", "admin"),
    "accounts.show": Look("/accounts/the-viewer", "admin"),
    "audit.index": Look("/audit/", "operator"),
    "audit.show": Look("/audit/1", "operator"),
    "certificates.page": Look("/certificates/"),
    "cluster.page": Look("/cluster/"),
    "cluster.live": Look("/cluster/live", is_whole=False),
    "dictionary.entries": Look("/dictionary/"),
    "dictionary.translations": Look("/dictionary/translations"),
    "dictionary.translate": Look("/dictionary/translate"),
    "dictionary.export": Look("/dictionary/export", is_whole=False),
    "kvdb.page": Look("/kvdb/", "deployer"),
    "load_balancer.page": Look("/load-balancer/"),
    "load_balancer.live": Look("/load-balancer/live", is_whole=False),
    "load_balancer.commands": Look("/load-balancer/commands"),
    "load_balancer.configuration": Look("/load-balancer/configuration"),
    "objects.index": Look("/objects/outgoing-http/"),
    "objects.live": Look("/objects/outgoing-http/live", is_whole=False),
    "objects.new": Look("/objects/outgoing-http/new"),
    "objects.show": Look("/objects/outgoing-http/{connection}"),
    "objects.status": Look("/objects/outgoing-http/{connection}/status"),
    "objects.history": Look("/objects/outgoing-http/{connection}/history", "operator"),
    "objects.confirm_delete": Look("/objects/outgoing-http/{connection}/delete", "deployer"),
    "objects.ask_password": Look("/objects/security-basic-auth/{security}/password", "deployer"),
    "objects.export": Look("/objects/outgoing-http/{connection}/export", is_whole=False),
    "objects.export_all": Look("/objects/outgoing-http/export", is_whole=False),
    "objects.find": Look("/objects/find?kind=outgoing-http&name=matrix"),
    "objects.pick": Look("/objects/pick?kind=service&o-service=zato", is_whole=False),
    "queues.index": Look("/queues/"),
    "queues.show": Look("/queues/async", "operator"),
    "scheduler.page": Look("/scheduler/"),
    "scheduler.now": Look("/scheduler/now", is_whole=False),
    "scheduler.runs": Look("/scheduler/runs", is_whole=False),
    "scheduler.next_fires": Look("/scheduler/jobs/matrix/next"),
    "services.index": Look("/services/"),
    "services.new": Look("/services/new", "deployer"),
    "services.show": Look("/services/matrix.service"),
    "services.source": Look("/services/matrix.service/source", "developer"),
    "services.edit": Look("/services/matrix.service/edit", "deployer"),
    "services.ask_input": Look("/services/matrix.service/invoke", "developer"),
    "services.outcome": Look("/services/matrix.service/later/{cid}", "developer"),
    "services.recordings": Look("/services/matrix.service/kept/samples", "developer"),
    "services.recording": Look("/services/matrix.service/kept/samples/{sample}", "developer"),
    "services.settings": Look("/services/matrix.service/settings"),
    "services.versions": Look("/services/files/matrix.py"),
    "services.version": Look("/services/files/matrix.py/{version}", "developer"),
    "services.content": Look("/services/files/matrix.py/{version}/content", "developer", is_whole=False),
    "sets.page": Look("/files/"),
    "sets.export": Look("/files/export", is_whole=False),
}
ACTS = {
    "home.deploy_first_service": Act("/first-service", "deployer"),
    "account.store_password": Act("/account/password", "viewer", {"old": "wrong", "new": "a new one", "again": "another one"}),
    "account.store_settings": Act("/account/settings", "viewer", {"zone": "", "time_format": "iso", "theme": "auto"}),
    "account.begin_second_factor": Act("/account/second-factor/begin", "viewer"),
    "account.confirm_second_factor": Act("/account/second-factor/confirm", "viewer", {"code": "no code"}),
    "account.remove_second_factor": Act("/account/second-factor/remove", "viewer"),
    "account.create_token": Act("/account/tokens", "viewer", {"name": "", "role": "viewer", "expires_days": "1"}),
    "account.delete_token": Act("/account/tokens/999999/delete", "viewer"),
    "accounts.create": Act("/accounts/new", "admin", {"name": "made-by-{role}", "role": "viewer"}),
    "accounts.edit": Act("/accounts/nobody", "admin", {"role": "viewer"}),
    "accounts.reset_password": Act("/accounts/nobody/reset-password", "admin"),
    "accounts.delete": Act("/accounts/nobody/delete", "admin"),
    "audit.verify": Act("/audit/verify", "operator"),
    "cluster.forget": Act("/cluster/1/forget", "deployer"),
    "dictionary.create": Act("/dictionary/dictionary", "deployer", {"system": "", "key": "k", "value": "v"}),
    "dictionary.delete": Act("/dictionary/dictionary/999999/delete", "deployer"),
    "dictionary.import_all": Act("/dictionary/import", "deployer", {"file": "no such file"}),
    "kvdb.execute": Act("/kvdb/", "deployer", {"command": "GET matrix"}),
    "load_balancer.change": Act("/load-balancer/servers/server1/resume", "operator"),
    "load_balancer.weigh": Act("/load-balancer/servers/server1/weight", "operator", {"weight": "0"}),
    "load_balancer.configure": Act("/load-balancer/configuration", "admin", {"own_sections": ""}),
    "load_balancer.reload": Act("/load-balancer/reload", "admin"),
    "load_balancer.execute": Act("/load-balancer/commands", "operator", {"command": "show info"}),
    "objects.create": Act("/objects/message-namespace/new", "deployer", {"name": "n-{role}", "o-value": "urn:n"}),
    "objects.edit": Act("/objects/message-namespace/{namespace}", "deployer", {"name": "matrix", "o-value": "urn:{role}"}),
    "objects.switch": Act("/objects/message-namespace/{namespace}/active", "deployer", {"is_active": "true"}),
    "objects.delete": Act("/objects/security-basic-auth/{security}/delete", "deployer"),
    "objects.change_password": Act("/objects/security-basic-auth/{security}/password", "deployer"),
    "objects.ping": Act("/objects/outgoing-http/{connection}/ping", "operator"),
    "queues.settle": Act("/queues/settle", "operator", {"queue": "async", "what": "purge", "all": "on"}),
    "scheduler.execute": Act("/scheduler/execute", "operator", {"job": "no such job"}),
    "scheduler.set_paused": Act("/scheduler/paused", "operator", {"is_paused": "false"}),
    "services.deploy": Act("/services/deploy", "deployer", {"file_name": "matrix.txt", "source": ""}),
    "services.undeploy": Act("/services/files/nothing.py/undeploy", "deployer"),
    "services.roll_back": Act("/services/files/nothing.py/1/roll-back", "deployer"),
    "services.invoke": Act("/services/matrix.service/invoke", "developer", {"as": "raw", "payload": "{}"}),
    "services.store_settings": Act("/services/matrix.service/settings", "deployer", {"is_active": "on", "o-sample_every": "1"}),
    "services.delete_recordings": Act("/services/matrix.service/kept/errors/delete", "developer"),
    "sets.plan": Act("/files/plan", "viewer", {"text": "{}"}),
    "sets.apply": Act("/files/apply", "deployer", {"text": "{}", "planned_at": ""}),
}


def served(app: Any) -> tuple[set[str], set[str]]:
    """Return the names of the pages and of the forms that the application has for those who are signed in."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in _APART]
    pages, forms = ({rule.endpoint for rule in rules if method in rule.methods} for method in ("GET", "POST"))
    return pages, forms


def things_in(cluster: Any) -> dict[str, str]:
    """Make what the paths name, unless it is there, and return what they are called or numbered."""
    (cluster.folder / "matrix.py").write_text(_SOURCE)
    cluster.zato("service", "deploy", str(cluster.folder / "matrix.py"))
    cluster.invoke("zato.service.edit", {"name": "matrix.service", "is_active": True, "sample_every": 1})
    job = {"job_type": "cron_style", "cron_definition": "30 2 * * *", "service": "matrix.service"}
    _make(cluster, "scheduler-job", job)
    sample = eventually(lambda: _sample(cluster), timeout_s=30, what="a sample to be kept")
    return {
        "connection": _make(cluster, "outgoing-http", {"host": "http://127.0.0.1:1", "is_active": False}),
        "namespace": _make(cluster, "message-namespace", {"value": "urn:matrix"}),
        "security": _make(cluster, "security-basic-auth", {"username": "matrix", "password": "matrix"}),
        "cid": cluster.invoke("zato.async.invoke", {"name": "matrix.service", "payload": {}, "data_format": "json"})["cid"],
        "sample": sample,
        "version": str(cluster.invoke("zato.service.get-by-name", {"name": "matrix.service"})["version"]),
    }


def _make(cluster: Any, kind: str, options: dict[str, Any]) -> str:
    with contextlib.suppress(AlreadyExists):
        cluster.invoke(f"zato.{kind}.create", {"name": "matrix", **options})
    return str(cluster.invoke(f"zato.{kind}.get", {"name": "matrix"})["id"])


def _sample(cluster: Any) -> str:
    cluster.invoke("matrix.service", {})
    asked = {"name": "matrix.service", "cur_page": 1, "page_size": 1}
    found = cluster.invoke("zato.service.sample.get-list", asked)["data"]
    return str(found[0]["cid"]) if found else ""
