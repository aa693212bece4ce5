"""Admin services for what is deployed: uploading, looking at versions, going back to one, undeploying."""

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployed
from zato.server.control.package_history import (
    describe_version,
    diff_versions,
    list_packages,
    package_history,
    version_source,
)
from zato.server.describe.schemas import array, boolean, integer, number, record, text

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_LONGEST_WAIT_S = 300.0
_PACKAGES = Area("Packages")
_WORKER_DEPLOYMENT = record(
    {
        "server": text("Name of the server"),
        "pid": integer("Process id of the worker"),
        "version": integer("Version that it was to run"),
        "version_running": integer("Version that it runs; 0 for none"),
        "is_ok": boolean("Whether it took it"),
        "reason": text("Why not: file, line and reason"),
        "traceback": text("As Python prints it, when there is one"),
    },
    "What one worker made of it",
    optional=("version",),
)
_PACKAGE_NAME = text("What it is deployed as, e.g. currency.py, or orders for a package", minLength=1)
_PACKAGE_VERSION = integer("Version of it", minimum=1)
_WAITS = {
    "wait_s": number("Seconds to wait for the workers", minimum=0, maximum=_LONGEST_WAIT_S, default=0),
    "wait": number("The same, when wait_s is not given", minimum=0, maximum=_LONGEST_WAIT_S, default=0),
}
_DEPLOYMENT_FIELDS = {
    "id": integer("Number of the version, unique among those of all packages"),
    "name": text("What it is deployed as"),
    "file_name": text("The same"),
    "version": integer("Its version"),
    "action": text("deploy, undeploy, or reject of one that did not pass the check"),
    "is_live": boolean("Whether the workers are to run it"),
    "digest": text("SHA-256 of a file; of a package that of the lines of sha256sum for its files"),
    "size": integer("Bytes of its files"),
    "file_count": integer("How many files it has"),
    "upload_name": text("Name of the file that was uploaded"),
    "restored_version": integer("Version whose content it repeats; 0 for none"),
    "reason": text("Why it was rejected"),
    "traceback": text("Of what it was rejected for"),
    "created_at": text("When, UTC", format="date-time"),
    "created_by": text("Who deployed it"),
    "address": text("From where; empty for the server itself"),
    "workers": array(_WORKER_DEPLOYMENT, "Those that run it, or refused it"),
}
_DEPLOYMENT = record(_DEPLOYMENT_FIELDS)
_DEPLOYMENT_WITH_FILES = record(
    {
        **_DEPLOYMENT_FIELDS,
        "files": array(record({"path": text("Path in the package"), "size": integer("Its bytes")}), "What it holds"),
    }
)
_DEPLOYED = record(
    {
        "id": integer("Number of the version, unique among those of all packages"),
        "name": text("What it is deployed as"),
        "version": integer("Its version"),
        "is_accepted": boolean("Whether it passed the check, and so goes to all workers"),
        "is_ok": boolean("Whether it passed and all workers have taken it by now"),
        "reason": text("Why not, of the first that refused it"),
        "traceback": text("As Python prints it, when there is one"),
        "workers": array(_WORKER_DEPLOYMENT, "Those that reported in time"),
        "missing": array(text(), "Workers that did not, as server/pid"),
    }
)
_PACKAGE_DIFF = record(
    {
        "name": text("What it is deployed as"),
        "from_version": integer("Version that is compared; 0 for nothing"),
        "to_version": integer("Version that it is compared with"),
        "files": array(
            record(
                {
                    "path": text("Path of a file that is not the same in both"),
                    "change": text("added, removed or changed"),
                    "diff": text("Unified diff; empty where there is none"),
                    "is_text": boolean("Whether there is a diff: the file is text, and not too long"),
                    "bytes_before": integer("Its bytes in the one"),
                    "bytes_after": integer("Its bytes in the other"),
                }
            )
        ),
    }
)
_ONE_VERSION = record({"name": _PACKAGE_NAME, "version": _PACKAGE_VERSION}, optional=("version",))
_SOURCE = record(
    {
        "name": text("What it is deployed as"),
        "version": integer("Its version"),
        "payload_name": text("A name for the file, which can be deployed under it"),
        "payload": text("A Python file, or a zip archive, in Base64"),
    }
)
_UPLOAD = record(
    {
        "payload": text("Its content in Base64"),
        "payload_name": text("Its name, which says what it is: .py, .zip or .whl", minLength=1),
        **_WAITS,
        "cluster_id": integer("Not looked at: there is one cluster"),
    },
    optional=(*_WAITS, "cluster_id"),
)


def package_actions() -> dict[str, Action]:
    """Return the actions by the names of their services."""
    get_list = _PACKAGES.listing(
        lambda admin, _values, _author: list_packages(admin.database),
        Role.VIEWER,
        "Return the latest version of each file and package of services, and what each worker made of it",
        item=_DEPLOYMENT,
    )
    return {
        "zato.package.get-list": get_list,
        "zato.deployment.get-list": replace(get_list, alias_of=("zato.package.get-list",)),
        "zato.package.get-history": _PACKAGES.listing(
            lambda admin, values, _author: package_history(admin.database, _text(values, "name")),
            Role.VIEWER,
            "Return the versions of a package that there are still, the newest first",
            takes=record({"name": _PACKAGE_NAME}),
            item=_DEPLOYMENT,
        ),
        "zato.package.get": _PACKAGES.action(
            get_version,
            Role.VIEWER,
            "Return a version of a package, the latest one unless told otherwise, with its files",
            takes=_ONE_VERSION,
            returns=_DEPLOYMENT_WITH_FILES,
        ),
        "zato.package.get-source": _PACKAGES.action(
            get_source,
            Role.DEVELOPER,
            "Return the content of a version of a package, the live one unless told otherwise, in Base64",
            takes=_ONE_VERSION,
            returns=_SOURCE,
        ),
        "zato.package.diff": _PACKAGES.action(
            diff,
            Role.DEVELOPER,
            "Return what two versions of a package differ in: the latest one and the one before it, unless told otherwise",
            takes=record(
                {"name": _PACKAGE_NAME, "from_version": _PACKAGE_VERSION, "to_version": _PACKAGE_VERSION},
                optional=("from_version", "to_version"),
            ),
            returns=_PACKAGE_DIFF,
        ),
        "zato.package.roll-back": _PACKAGES.action(
            roll_back,
            Role.DEPLOYER,
            "Deploy once more what a version of a package had, the one before the live one unless told otherwise",
            takes=record({"name": _PACKAGE_NAME, "version": _PACKAGE_VERSION, **_WAITS}, optional=("version", *_WAITS)),
            returns=_DEPLOYED,
        ),
        "zato.package.undeploy": _PACKAGES.action(
            undeploy,
            Role.DEPLOYER,
            "Take the services of a package out of use",
            takes=record({"name": _PACKAGE_NAME, **_WAITS}, optional=_WAITS),
            returns=_DEPLOYED,
        ),
        "zato.service.upload-package": _PACKAGES.action(
            upload, Role.DEPLOYER, "Deploy a Python file, a zip archive or a wheel", takes=_UPLOAD, returns=_DEPLOYED
        ),
        "zato.hot-deploy.create": _PACKAGES.action(
            deploy_again,
            Role.DEPLOYER,
            "Deploy once more the version that has this number",
            takes=record({"package_id": integer("Number of the version", minimum=1), **_WAITS}, optional=_WAITS),
            returns=_DEPLOYED,
        ),
    }


def upload(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    """Deploy what `payload` has, in Base64: a Python file, a zip archive or a wheel, as the ending of `payload_name` says."""
    payload = values.get("payload")
    if not isinstance(payload, str):
        raise BadRequest("'payload' takes the contents of the file in Base64")
    try:
        # Tools break it into lines.
        data = base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("'payload' is no Base64") from None
    deployed = admin.deployments.deploy(_text(values, "payload_name"), data, author, wait_s=_wait_s(values))
    return _describe(deployed)


def deploy_again(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    """Deploy once more the version whose number is `package_id`."""
    id = _whole_number(values, "package_id")
    if id is None:
        raise BadRequest("'package_id' takes the id of a version: 'zato.package.get-history' has them")
    return _describe(admin.deployments.deploy_again(id, author, wait_s=_wait_s(values)))


def get_version(admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
    return describe_version(admin.database, _text(values, "name"), _whole_number(values, "version"))


def get_source(admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
    package, file_name = version_source(admin.database, _text(values, "name"), _whole_number(values, "version"))
    return {
        "name": package.name,
        "version": package.version,
        "payload_name": file_name,
        "payload": base64.b64encode(package.source).decode(),
    }


def diff(admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
    versions = _whole_number(values, "from_version"), _whole_number(values, "to_version")
    return diff_versions(admin.database, _text(values, "name"), *versions)


def roll_back(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    version = _whole_number(values, "version")
    return _describe(admin.deployments.roll_back(_text(values, "name"), version, author, wait_s=_wait_s(values)))


def undeploy(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    return _describe(admin.deployments.undeploy(_text(values, "name"), author, wait_s=_wait_s(values)))


def _describe(deployed: Deployed) -> dict[str, Any]:
    refused = next((worker for worker in deployed.workers if not worker.is_ok), None)
    return {
        "id": deployed.id,
        "name": deployed.file_name,
        "version": deployed.version,
        "is_accepted": deployed.is_accepted,
        "is_ok": deployed.is_ok,
        "reason": refused.reason if refused else "",
        "traceback": refused.traceback if refused else "",
        "workers": [
            {
                "server": worker.server,
                "pid": worker.pid,
                "version_running": worker.version_running,
                "is_ok": worker.is_ok,
                "reason": worker.reason,
                "traceback": worker.traceback,
            }
            for worker in deployed.workers
        ],
        "missing": list(deployed.missing),
    }


def _text(values: Values, name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"'{name}' takes a text that is not empty")
    return value


def _whole_number(values: Values, name: str) -> int | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    # Forms and old clients send numbers as texts.
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise BadRequest(f"'{name}' takes a whole number from 1 on, not {value!r:.60}")
    return value


def _wait_s(values: Values) -> float:
    name = "wait_s" if values.get("wait_s") is not None else "wait"
    value = values.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_WAIT_S:
        raise BadRequest(f"'{name}' takes seconds, from 0 to {_LONGEST_WAIT_S:g}, not {value!r:.60}")
    return float(value)
