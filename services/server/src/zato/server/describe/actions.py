"""
What the admin services take and answer.

Those of a kind are described by its declaration (`zato.server.describe.kinds`), the others here, by their names. One that
is not here is described by the docstring of its action, and takes and answers anything.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping

from zato.common.kinds import Kind
from zato.common.options import declared_options
from zato.server.describe.helps import HELPS
from zato.server.describe.kinds import ActionDescription, describe_operation, which
from zato.server.describe.schemas import (
    Schema,
    anything,
    array,
    boolean,
    integer,
    nullable,
    number,
    option_schema,
    record,
    text,
)
from zato.server.jobs.history import RunFilter
from zato.server.services.service_options import ServiceOptions

# Published names under which the services of a kind can be called too.
_AREAS: Mapping[str, str] = {"scheduler.job": "scheduler-job"}

_SERVICE = record(
    {
        "id": integer("Number of the service, the same on all servers"),
        "name": text("Name of the service"),
        "impl_name": text("Module and class"),
        "file_name": text("File that it was deployed from; empty for the platform's own"),
        "version": integer("Version of that file"),
        "is_internal": boolean("Whether it is the platform's own"),
        "is_active": boolean("Whether it may be invoked"),
        "slow_threshold": nullable(integer("Milliseconds above which an invocation is logged as slow; null for none")),
    }
)
_OPTION = record(
    {
        "name": text("Name of the option"),
        "type": text("str, int, float, bool or list"),
        "help": text("What it means"),
        "required": boolean("Whether it has to be given"),
        "default_json": text("The default as JSON; empty for none"),
        "choices": array(text(), "What it can be, when not anything"),
        "secret": boolean("Whether it is never shown again"),
        "references": array(text(), "Kinds of which it names an object"),
    },
)
_KIND = record(
    {
        "name": text("Name of the kind"),
        "label": text("What people call it"),
        "help": text("What it is"),
        "options": array(_OPTION),
        "unique": array(text(), "Options whose values together no two objects may share"),
    },
)
_DEFINITION = {
    **record(
        {
            "id": integer("Number of the definition"),
            "name": text("Name of the definition"),
            "is_active": boolean("Whether it lets anybody in"),
            "version": integer("Configuration version that it is from"),
            "sec_type": text("What sort it is, e.g. basic_auth"),
        }
    ),
    "additionalProperties": True,
}
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
_WAIT = number("Seconds to wait for the workers", minimum=0, maximum=300, default=0)
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
_DEAD_LETTER = record(
    {
        "id": text("Its id, for retrying and deleting"),
        "reason": text("Why it was given up"),
        "failed_at": number("When, in seconds since the epoch"),
        "service": text("Service that was to run"),
        "cid": text("Correlation id"),
        "caller": text("Who asked for it"),
        "attempts": integer("How often it was tried"),
        "created_at": number("When it was asked for, in seconds since the epoch"),
        "payload": text("What the service was sent"),
    },
    optional=("service", "cid", "caller", "attempts", "created_at", "payload"),
)
_LETTER_ID = record({"id": text("Id of the invocation that was given up", minLength=1)})
_JOB_RUN = record(
    {
        "id": integer("Number of the run"),
        "job_id": nullable(integer("Number of its job; null when that was deleted")),
        "job": text("Name of its job"),
        "state": text("claimed, running, ok, failed, lost or skipped"),
        "trigger": text("What started it"),
        "attempt": integer("Which attempt it is"),
        "missed": integer("Runs before it that nobody could start in time"),
        "planned_at": text("When it was due, UTC", format="date-time"),
        "started_at": text("When it started; empty when it has not"),
        "ended_at": text("When it ended; empty when it has not"),
        "drift_s": number("Seconds from due to started"),
        "server": text("Server that ran it"),
        "pid": integer("Process that ran it"),
        "result": text("What the service answered, shortened"),
        "error": text("Why it failed"),
        "cid": text("Correlation id"),
        "epoch": integer("Epoch of the scheduler that planned it"),
    }
)
_STATUS_OF_SCHEDULER = record(
    {
        "leader": text("Scheduler that plans; empty when none does"),
        "epoch": integer("Counts the leaders that there were"),
        "is_paused": boolean("Whether no job fires"),
        "since": text("Since when it leads, UTC", format="date-time"),
    }
)
_WANTED_OBJECT = {
    **record(
        {"kind": text("Name of its kind"), "name": text("Name of the object"), "is_active": boolean("Whether it is in use")},
        "An object and its options",
        optional=("is_active",),
    ),
    "additionalProperties": True,
}
_WANTED_SET = record(
    {
        "objects": array(_WANTED_OBJECT, "The objects that there have to be"),
        "prune": boolean("Whether to delete those that are not among them", default=False),
        "protect": array(text(), "Patterns of what is never deleted, e.g. security-basic-auth/ops*"),
    },
    optional=("prune", "protect"),
)
_WANTED_BY_PLAN = record(
    {
        **_WANTED_SET["properties"],
        "planned_at": nullable(integer("Configuration version of the plan; refused when there is a newer one", minimum=0)),
    },
    optional=("prune", "protect", "planned_at"),
)
_CHANGE = record(
    {
        "action": text("create, edit or delete"),
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "options": array(
            record({"name": text("Option that changes"), "before": anything("Value before"), "after": anything("Value after")})
        ),
    }
)
_PROBLEM = record(
    {
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "option": text("Option that does not fit; empty when it is none of them"),
        "message": text("What is wrong, and what was wanted"),
    }
)
_PLAN = record(
    {
        "config_version": integer("Configuration version that it was compared with, or that has the changes"),
        "is_applied": boolean("Whether it was done"),
        "changes": array(_CHANGE, "What would be done, or was"),
        "problems": array(_PROBLEM, "What does not fit; with any, nothing is done"),
        "protected": array(record({"kind": text("Kind"), "name": text("Name")}), "What would be deleted, but is protected"),
        "total": integer("Objects that there are afterwards"),
    }
)
_EXPORTED = record(
    {
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "is_active": boolean("Whether it is in use"),
        "options": {"type": "object", "description": "Its options without secrets"},
        "secrets": array(text(), "Options that are secret and have a value"),
    }
)
_CLUSTER = record(
    {
        "config_version": integer("Newest configuration version"),
        "workers": array(
            record(
                {
                    "server": text("Name of the server"),
                    "pid": integer("Process id"),
                    "config_version": integer("Configuration version that it runs with"),
                    "started_at": text("When it started, UTC", format="date-time"),
                    "reported_at": text("When it last said that it lives, UTC", format="date-time"),
                }
            )
        ),
    }
)
_EDITED_SERVICE = record(
    {
        "id": integer("Number of the service"),
        "name": text("Name of the service"),
        "impl_name": text("Module and class"),
        "is_internal": boolean("Whether it is the platform's own"),
    }
)


def _options_of(cls: type) -> dict[str, Schema]:
    return {each.name: option_schema(each) for each in declared_options(cls)}


def _of(tag: str, help: str, takes: Schema | None = None, returns: Schema | None = None) -> ActionDescription:
    return ActionDescription(help, takes if takes is not None else record({}), returns if returns is not None else {}, tag)


_RUNS = record(_options_of(RunFilter), optional=_options_of(RunFilter))
_JOB = which({})

FIXED: Mapping[str, ActionDescription] = {
    "zato.kind.get-list": _of("Kinds", "Return what can be configured: each kind with its options", None, array(_KIND)),
    "zato.security.get-list": _of(
        "Security", "Return all security definitions, whatever their kind, by name", None, array(_DEFINITION)
    ),
    "zato.service.get-list": _of("Services", "Return the services that can be invoked", None, array(_SERVICE)),
    "zato.service.get-by-name": _of("Services", "Return the service that the name or the id says", which({}), _SERVICE),
    "zato.service.is-deployed": _of(
        "Services",
        "Return whether there is a service of that name",
        record({"name": text("Name of the service")}),
        record({"is_deployed": boolean("Whether there is")}),
    ),
    "zato.service.edit": _of(
        "Services",
        "Change what operators say of a service: whether it may be invoked, and its limits",
        which({"is_active": boolean("Whether it may be invoked"), **_options_of(ServiceOptions)}),
        _EDITED_SERVICE,
    ),
    "zato.service.get-json-schema": _of(
        "Services",
        "Return the JSON Schemas of a service's input and output, null where it declares none",
        record({"name": text("Name of the service", minLength=1)}),
        record(
            {"name": text("Name of the service"), "input": nullable({"type": "object"}), "output": nullable({"type": "object"})}
        ),
    ),
    "zato.openapi.get": _of(
        "Documents",
        "Return an OpenAPI document: of users' services, or of the admin API",
        record({"document": text("Which one", enum=["services", "admin"], default="services")}, optional=("document",)),
        {"type": "object", "description": "OpenAPI 3.1"},
    ),
    "zato.deployment.get-list": _of("Packages", "The same as zato.package.get-list", None, array(_DEPLOYMENT)),
    "zato.package.get-list": _of(
        "Packages",
        "Return the latest version of each file and package of services, and what each worker made of it",
        None,
        array(_DEPLOYMENT),
    ),
    "zato.package.get-history": _of(
        "Packages",
        "Return all versions of a package that there are still, the newest first",
        record({"name": _PACKAGE_NAME}),
        array(_DEPLOYMENT),
    ),
    "zato.package.get": _of(
        "Packages",
        "Return a version of a package, the latest one unless told otherwise, with its files",
        record({"name": _PACKAGE_NAME, "version": _PACKAGE_VERSION}, optional=("version",)),
        _DEPLOYMENT_WITH_FILES,
    ),
    "zato.package.get-source": _of(
        "Packages",
        "Return the content of a version of a package, the live one unless told otherwise, in Base64",
        record({"name": _PACKAGE_NAME, "version": _PACKAGE_VERSION}, optional=("version",)),
        record(
            {
                "name": text("What it is deployed as"),
                "version": integer("Its version"),
                "payload_name": text("A name for the file, which can be deployed under it"),
                "payload": text("A Python file, or a zip archive, in Base64"),
            }
        ),
    ),
    "zato.package.diff": _of(
        "Packages",
        "Return what two versions of a package differ in: the latest one and the one before it, unless told otherwise",
        record(
            {"name": _PACKAGE_NAME, "from_version": _PACKAGE_VERSION, "to_version": _PACKAGE_VERSION},
            optional=("from_version", "to_version"),
        ),
        _PACKAGE_DIFF,
    ),
    "zato.package.roll-back": _of(
        "Packages",
        "Deploy once more what a version of a package had, the one before the live one unless told otherwise",
        record({"name": _PACKAGE_NAME, "version": _PACKAGE_VERSION, "wait": _WAIT}, optional=("version", "wait")),
        _DEPLOYED,
    ),
    "zato.package.undeploy": _of(
        "Packages",
        "Take the services of a package out of use",
        record({"name": _PACKAGE_NAME, "wait": _WAIT}, optional=("wait",)),
        _DEPLOYED,
    ),
    "zato.service.upload-package": _of(
        "Packages",
        "Deploy a Python file, a zip archive or a wheel",
        record(
            {
                "payload": text("Its content in Base64"),
                "payload_name": text("Its name, which says what it is: .py, .zip or .whl", minLength=1),
                "wait": _WAIT,
                "cluster_id": integer("Not looked at: there is one cluster"),
            },
            optional=("wait", "cluster_id"),
        ),
        _DEPLOYED,
    ),
    "zato.hot-deploy.create": _of(
        "Packages",
        "Deploy once more the version that has this number",
        record({"package_id": integer("Number of the version", minimum=1), "wait": _WAIT}, optional=("wait",)),
        _DEPLOYED,
    ),
    "zato.async.get-status": _of(
        "Asynchronous invocations",
        "Return how many asynchronous invocations wait, run, wait for their time or next try, and were given up",
        None,
        record(
            {
                "waiting": integer("How many a worker has still to take"),
                "running": integer("How many run now"),
                "delayed": integer("How many wait for their time or their next try"),
                "given_up": integer("How many nobody tries any more"),
            }
        ),
    ),
    "zato.async.get-dead-letters": _of(
        "Asynchronous invocations", "Return what was given up, the newest first, with the reason", None, array(_DEAD_LETTER)
    ),
    "zato.async.retry-dead-letter": _of(
        "Asynchronous invocations",
        "Let what was given up run again as if for the first time",
        _LETTER_ID,
        record({"id": text("Id that it had"), "cid": text("Correlation id"), "service": text("Service that will run")}),
    ),
    "zato.async.delete-dead-letter": _of(
        "Asynchronous invocations", "Delete what was given up", _LETTER_ID, record({"id": text("Id that it had")})
    ),
    "zato.cluster.get-status": _of(
        "Cluster", "Return which configuration version each living worker runs with", None, _CLUSTER
    ),
    "zato.enmasse.plan": _of("Sets of objects", "Say what applying a set of objects would do", _WANTED_SET, _PLAN),
    "zato.enmasse.apply": _of(
        "Sets of objects", "Make the objects those of the set, all or nothing, in one transaction", _WANTED_BY_PLAN, _PLAN
    ),
    "zato.enmasse.export": _of(
        "Sets of objects",
        "Return all objects that somebody configured",
        None,
        record({"config_version": integer("Configuration version that it is"), "objects": array(_EXPORTED)}),
    ),
    "zato.scheduler.job.execute": _of(
        "Scheduler",
        "Run a job now, active or not",
        _JOB,
        record(
            {
                "id": integer("Number of the job"),
                "name": text("Its name"),
                "run_id": integer("Number of the run"),
                "cid": text("Correlation id of the run"),
            }
        ),
    ),
    "zato.scheduler.job.set-active-status": _of(
        "Scheduler",
        "Switch a job on or off",
        which({"is_active": boolean("Whether it fires")}, required=("is_active",)),
        anything("As of zato.scheduler-job.edit"),
    ),
    "zato.scheduler.job.get-by-name": _of(
        "Scheduler", "Return the job of that name", record({"name": text("Name of the job")}), anything("The job")
    ),
    "zato.scheduler.job.get-by-id": _of(
        "Scheduler", "Return the job with that number", record({"id": integer("Number of the job")}), anything("The job")
    ),
    "zato.scheduler.job.get-run-list": _of("Scheduler", "Return runs of jobs, the newest first", _RUNS, array(_JOB_RUN)),
    "zato.scheduler.job.get-running": _of("Scheduler", "Return the runs that go on now", _RUNS, array(_JOB_RUN)),
    "zato.scheduler.get-status": _of("Scheduler", "Return which scheduler leads", None, _STATUS_OF_SCHEDULER),
    "zato.scheduler.pause": _of("Scheduler", "Let no job fire until somebody resumes them", None, nullable({"type": "object"})),
    "zato.scheduler.resume": _of("Scheduler", "Let jobs fire again", None, nullable({"type": "object"})),
}


def describe_action(name: str, kinds: Iterable[Kind], action: Callable[..., object] | None = None) -> ActionDescription:
    """
    Return what is known of an admin service.

    Args:
        action: What it runs; its docstring tells what nothing else does.
    """
    if name in FIXED:
        return FIXED[name]
    for tag, helps in HELPS.items():
        if name in helps:
            return ActionDescription(helps[name], record({}), anything(), tag)
    area, _, operation = name.removeprefix("zato.").rpartition(".")
    wanted = _AREAS.get(area, area)
    for kind in kinds:
        if kind.name == wanted:
            return _renamed(describe_operation(kind, operation), kind, area)
    if area in _AREAS:
        # Its part has never been here, so nobody knows yet what there is to an object.
        return ActionDescription(
            f"The same as zato.{wanted}.{operation}, once there is that kind", record({}), anything(), area
        )
    doc = (inspect.getdoc(action) or "").partition("\n")[0] if inspect.isfunction(action) else ""
    return ActionDescription(doc, record({}), anything(), area or "Others")


def _renamed(described: ActionDescription, kind: Kind, area: str) -> ActionDescription:
    """Jobs under their published names have the same input, and outputs with more in them."""
    if area == kind.name:
        return described
    takes = {key: value for key, value in described.takes.items() if key != "additionalProperties"}
    return ActionDescription(described.help, takes, described.returns, described.tag)
