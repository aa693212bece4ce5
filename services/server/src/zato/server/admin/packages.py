"""Admin services for what is deployed: uploading, looking at versions, going back to one, undeploying."""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.server.admin.pages import listed
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployed
from zato.server.control.package_history import (
    describe_version,
    diff_versions,
    list_packages,
    package_history,
    version_source,
)

if TYPE_CHECKING:
    from zato.server.admin.services import Action, Admin

Values = Mapping[str, Any]

_LONGEST_WAIT_S = 300.0


def package_actions() -> "dict[str, Action]":
    """Return the actions by the names of their services."""
    return {
        "zato.service.upload-package": upload,
        "zato.hot-deploy.create": deploy_again,
        "zato.deployment.get-list": get_list,
        "zato.package.get-list": get_list,
        "zato.package.get-history": get_history,
        "zato.package.get": get_version,
        "zato.package.get-source": get_source,
        "zato.package.diff": diff,
        "zato.package.roll-back": roll_back,
        "zato.package.undeploy": undeploy,
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


def get_list(admin: "Admin", values: Values, _author: Author) -> Any:
    return listed(list_packages(admin.database), values)


def get_history(admin: "Admin", values: Values, _author: Author) -> Any:
    return listed(package_history(admin.database, _text(values, "name")), values)


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
    value = values.get("wait", 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_WAIT_S:
        raise BadRequest(f"'wait' takes seconds, from 0 to {_LONGEST_WAIT_S:g}, not {value!r:.60}")
    return float(value)
