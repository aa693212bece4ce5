"""Builds a worker out of its parts: the one module that knows them all."""

import gc
import hashlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from zato.common import logs
from zato.common.bus import Bus, RedisBus
from zato.common.cid import new_cid
from zato.common.errors import Unavailable, ZatoError
from zato.common.kinds import KindRegistry
from zato.common.logs import get_logger
from zato.common.secrets import SecretBox
from zato.proto.control_plane.v1.control_plane_pb2 import RegisterKindsRequest
from zato.server.accounts.accounts import Accounts
from zato.server.accounts.json_api import AdminOverJSON, json_api_channel
from zato.server.accounts.over_http import made_with
from zato.server.accounts.rpc import AccountsRPC
from zato.server.accounts.services import account_actions
from zato.server.accounts.sign_in import SignIn
from zato.server.accounts.soap_api import AdminOverSOAP, soap_api_channel
from zato.server.admin.actions import Action
from zato.server.admin.async_queue import AsyncQueue
from zato.server.admin.audit import audit_actions
from zato.server.admin.caches import cache_actions
from zato.server.admin.documents import document_actions
from zato.server.admin.kvdb import kvdb_actions
from zato.server.admin.packages import package_actions
from zato.server.admin.pings import ping_actions
from zato.server.admin.queues import queue_actions
from zato.server.admin.rate_limits import RateLimits, rate_limit_actions
from zato.server.admin.recordings import recording_actions
from zato.server.admin.servers import server_actions
from zato.server.admin.service_sources import service_source_actions
from zato.server.admin.services import Admin, admin_services, internal_services
from zato.server.admin.sets import set_actions
from zato.server.admin.statistics import statistics_actions
from zato.server.config import ServerSettings
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.connections.reporting import StatusReporter
from zato.server.control.audit_chain import CHAIN_KIND, PRUNE, Entry, Retention
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployments, older_versions
from zato.server.control.follower import Follower, Update
from zato.server.control.kinds import Kinds, register_kinds
from zato.server.control.objects import Objects
from zato.server.control.presence import Presence
from zato.server.control.refusals import RefusalsLog, RefusalsRPC
from zato.server.control.sets import ObjectSets
from zato.server.control.watch import Watch
from zato.server.describe.documents import Documents
from zato.server.describe.serving import document_channels, document_services
from zato.server.http.access_log import AccessLog, make_access_log_step
from zato.server.http.body_budget import BodyBudget
from zato.server.http.channels import Channels
from zato.server.http.client_address import make_client_address_step, within
from zato.server.http.connection import ConnectionSettings, Timeouts
from zato.server.http.deadline import make_deadline_step
from zato.server.http.encodings import make_decompress_step
from zato.server.http.endpoint import make_endpoint
from zato.server.http.errors import make_error_step
from zato.server.http.finish import finish_response
from zato.server.http.h1c_tokenizer import H1CTokenizer
from zato.server.http.limit_options import definition_limits
from zato.server.http.limits import make_limits_step
from zato.server.http.match import make_match_step
from zato.server.http.opening import Opening, server_tls
from zato.server.http.probes import make_probe_step
from zato.server.http.rate_limits import LocalCounter, RateLimiter
from zato.server.http.redis_counter import RedisCounter
from zato.server.http.request import Request
from zato.server.http.response_cache import make_cache_step
from zato.server.http.router import Router
from zato.server.http.soap.contracts import Contracts
from zato.server.http.steps import Handler, fold
from zato.server.http.stock_worker import StockWorker
from zato.server.http.tokenizer import MakeTokenizer, ParserLimits
from zato.server.http.traffic import Traffic
from zato.server.http.worker import Worker
from zato.server.jobs.admin import Jobs
from zato.server.jobs.callbacks import Callbacks
from zato.server.jobs.claims import Claims
from zato.server.jobs.history import History
from zato.server.jobs.leadership import Leadership
from zato.server.jobs.rpc import JobsRPC
from zato.server.jobs.runner import Runner
from zato.server.jobs.runs import Runs
from zato.server.kinds import own_kinds
from zato.server.messaging.connectors import connector_actions
from zato.server.messaging.delivery import Deliveries, MessageLog
from zato.server.messaging.forwarding import Forwarder
from zato.server.messaging.inbox import Inbox
from zato.server.messaging.leases import Leases
from zato.server.messaging.outbox import Outbox
from zato.server.messaging.pings import connector_ping_actions
from zato.server.messaging.publishing import AMQPSender, ConnectorClient, IBMMQSender, JMSWMQSender, ZMQSender
from zato.server.messaging.queues import connector_queues, options_of
from zato.server.messaging.sending import sending_actions
from zato.server.messaging.tries import Tries
from zato.server.metrics import Metrics
from zato.server.odb import psycopg2_import
from zato.server.odb.database import Database
from zato.server.odb.tables import utc_now
from zato.server.rehearsal import rehearse
from zato.server.rpc import RPC, CallLog
from zato.server.security.check import check_security
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import SECURITY_KINDS
from zato.server.security.gate import Gate
from zato.server.security.log_in_throttle import LogInThrottle
from zato.server.security.services import security_services
from zato.server.service import Service
from zato.server.services.asynchronous import run_task
from zato.server.services.broadcast import BroadcastListener
from zato.server.services.canary import Bounds, Canary
from zato.server.services.context import KeyValueDB, ServerContext
from zato.server.services.counts import flush_for_ever
from zato.server.services.deployer import Deployer, Outcome
from zato.server.services.invoke import Invoker
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.overseer import Overseer
from zato.server.services.recordings import Recordings
from zato.server.services.rules import InvokeRules
from zato.server.services.schemas import Schemas
from zato.server.services.service_options import service_states
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.declaration import read_declaration
from zato.server.services.statistics import Statistics
from zato.server.services.statistics_reading import StatisticsReader
from zato.server.services.store import ServiceEntry, ServiceStore
from zato.server.services.task_consumer import TaskConsumer
from zato.server.services.tasks import Task, Tasks, TaskSettings
from zato.server.services.usage import Usage
from zato.server.worker_state import WorkerState, begin_with, running_state

if TYPE_CHECKING:
    from zato.common.rpc.client import Client

log = get_logger(__name__)

_RPC_MAX_BODY_BYTES = 64 * 1024 * 1024
_RETRY_LOAD_S = 1.0
COLLECT_AFTER = 20_000
_REPORT_CONNECTIONS_EVERY_S = 2.0
_WRITE_SECONDS_EVERY_S = 0.25
_SECONDS_UNTIL_ALL = 8
# Requests that began with the old connections have this long to end before these are closed.
_CLOSE_CONNECTIONS_AFTER_S = 60.0
_DAY_S = 86_400.0
_OWN_KINDS = frozenset(kind.name for kind in own_kinds())


class ServerApp:
    """Made once in the master, before the fork: whatever is imported here is shared by all workers."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        # What is wrong with its files shows now, rather than in each worker again and again.
        _opening(settings)
        defaults.use(defaults.read_defaults(settings.services_folder))
        bus, database = RedisBus(settings.redis_url), Database(settings.odb_url, settings.odb_limits)
        self._insides = WorkerApp(settings, self._metrics, bus, database)
        self._insides.rehearse()

    @property
    def server_header(self) -> str:
        return self._settings.server_header

    def start_worker(self, worker: Worker | StockWorker) -> "WorkerApp":
        """Begin what a worker does. Called in it: no connection and no greenlet may be older than the fork."""
        # Requests leave few cycles behind: with Python's own threshold a tenth of the time would be spent looking for them.
        gc.set_threshold(COLLECT_AFTER)
        psycopg2_import.wait_with_gevent()
        gevent.get_hub().threadpool.maxsize = 64
        self._insides.start()
        return self._insides


class WorkerApp:
    """
    What a worker runs with. It is made in the master, so that all workers share it; it connects to nothing before `start`.

    The pages of memory that a worker writes to, were it to count one more reference, are its own from then on: what it need
    not do again is the better half of what it shares.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics, bus: Bus, database: Database | None = None) -> None:
        self._settings = settings
        self._metrics = metrics
        self._bus = bus
        self._topic = f"zato:{settings.cluster}:config"
        self._state = WorkerState()
        is_for_people = logs.is_for_people(settings.log_format, sys.stderr)
        stream = None if is_for_people else sys.stderr.buffer
        self._access_log = AccessLog(settings.name, stream)
        self._call_log = CallLog(settings.name, stream)
        self._message_log = MessageLog(settings.name, stream)
        self._is_loaded = False
        self._is_stopping = False
        self._stop_by = 0.0
        self._channels = Channels()
        self._registry_of_services: KindRegistry | None = None
        self._database = database or Database(settings.odb_url, settings.odb_limits)
        self._refusals = RefusalsLog(self._database, settings.name)
        self._kinds = Kinds(own_kinds())
        self._store = ServiceStore()
        self._deployer = Deployer(
            self._store,
            settings.sources_folder,
            partial(older_versions, self._database),
            Schemas(settings.services_folder / "schema" / "json"),
            NamePatterns(settings.deploy_patterns_allowed),
        )
        security = SecurityContext.connect(settings.cluster, settings.secret_keys, settings.redis_url)
        self._gate = Gate(security)
        box = SecretBox(settings.secret_keys)
        objects = self._objects = Objects(self._database, self._kinds, box, bus, self._topic)
        tasks = Tasks(settings.redis_url, f"zato:{settings.cluster}:async", _task_settings(settings))
        sets = ObjectSets(self._database, self._kinds, box, bus, self._topic)
        recordings = Recordings(tasks.conn, f"zato:{settings.cluster}:runs", settings.name)
        self._statistics = Statistics(tasks.conn, f"zato:{settings.cluster}:stats", recordings)
        self._traffic = Traffic(tasks.conn, f"zato:{settings.cluster}:http", settings.name, self._metrics.flush)
        self._other_actions: dict[str, Action] = {
            **ping_actions(lambda: self._follower.configuration),
            **set_actions(sets, self._store),
            **audit_actions(),
        }
        author = Entry(settings.name, "", PRUNE, CHAIN_KIND, "")
        audit_retention = Retention(self._database, settings.audit_days, author)
        throttle = LogInThrottle(security.redis, f"zato:{settings.cluster}:sign-in:")
        self._sign_in = SignIn(self._database, box, throttle)
        self._other_actions |= account_actions(Accounts(self._database, box, settings.cluster))
        self._status = StatusReporter(self._database, settings.name)
        self._follower = Follower(self._database, self._kinds, objects, self._take_up, poll_interval_s=settings.poll_interval_s)
        canary = Canary(
            self._deployer,
            settings.trials_folder,
            settings.services_folder,
            settings.deploy_patterns_allowed,
            Bounds(settings.package_check_timeout_s, settings.package_check_memory_mb),
        )
        deployments = Deployments(
            self._database,
            canary.check,
            bus,
            self._topic,
            settings.name,
            os.getpid,
            self._follower.catch_up_with,
            limits=settings.package_limits,
            keep_versions=settings.package_keep_versions,
        )
        invoker = Invoker(self._store, _invoke_rules(settings))
        self._broadcasts = tasks.broadcasts
        self._hear_broadcast = BroadcastListener(tasks, invoker.rules, partial(run_task, invoker))
        self._overseer = Overseer(max_busy_s=settings.max_busy_s, turn_s=settings.turn_s)
        self._job_runs = Runs(self._database, bus, self._topic, settings.name, os.getpid, Callbacks(tasks).tell)
        leadership, runner = Leadership(self._database), Runner(self._job_runs, invoker, self._overseer, metrics)
        jobs = Jobs(objects, leadership, self._job_runs, runner, History(self._database))
        self._admin = Admin(self._database, self._kinds, objects, deployments, self._store, tasks, jobs)
        run_in_time = partial(self._overseer.run, settings.async_timeout_s, self._run_task, invoker)
        shown = NamePatterns(settings.docs_patterns_allowed)
        self.documents = Documents(settings.cluster, self._kinds, self._store, lambda: self._state.configuration, shown)
        self._other_actions |= document_actions(self.documents)
        self._task_consumer = TaskConsumer(tasks, run_in_time)
        self._usage = Usage(tasks.conn, f"zato:{settings.cluster}:usage")
        sweep_runs = partial(self._job_runs.sweep, settings.job_runs_days * _DAY_S)
        chores = (self._usage.flush, sweep_runs, audit_retention.sweep)
        self._presence = Presence(self._database, settings.name, chores)
        self._outbox = Outbox(tasks.conn, f"zato:{settings.cluster}:outbox")
        self._connectors = {
            "amqp": self._connector("amqp", settings.connector_amqp_addresses, ("definition", "outgoing")),
            "zmq": self._connector("zmq", settings.connector_zmq_addresses, ("channel", "outgoing")),
            "jms-wmq": self._connector("jms-wmq", settings.connector_mq_addresses, ("definition", "outgoing")),
        }
        senders = {each.outgoing_kind: each for each in self._connectors.values()}
        self._forwarder = Forwarder(self._outbox, senders)
        invoker.context = self._make_context(invoker, box, tasks)
        self._local_counter, self._shared_counter = LocalCounter(), _shared_counter(settings)
        self._reset_topic = f"zato:{settings.cluster}:rate-reset"
        self._other_actions |= self._operations(tasks, lambda: invoker.context)
        self._pipeline = self._make_pipeline(invoker)
        watch = Watch(self._database, self._follower)
        jobs_rpc = JobsRPC(leadership, Claims(self._database), self._job_runs, runner)
        inbox = Inbox(tasks.conn, f"zato:{settings.cluster}:inbox")
        leases = Leases(tasks.conn, f"zato:{settings.cluster}:lease")
        tries = Tries(tasks.conn, f"zato:{settings.cluster}:tries")
        deliveries = Deliveries(settings.name, invoker, self._overseer, inbox, leases, tries, self._message_log)
        self._rpc = RPC(
            settings.name,
            invoker,
            self._overseer,
            self._database,
            deployments,
            watch,
            self._register_kinds,
            AccountsRPC(self._sign_in),
            self._call_log,
            more={
                **jobs_rpc.methods,
                **RefusalsRPC(self._refusals).methods,
                "Invoker/HoldLease": lambda call: leases.hold(call.message),
                "Invoker/Deliver": lambda call: deliveries.deliver(call.message, call.deadline_s),
            },
        )

    def _operations(self, tasks: Tasks, context: Callable[[], ServerContext]) -> dict[str, Action]:
        """Return the admin services for what runs, rather than for what is configured."""
        settings = self._settings
        reader, http = (StatisticsReader(tasks.conn, each.prefix) for each in (self._statistics, self._traffic))
        kvdb = KeyValueDB(settings.redis_url)
        async_queue = AsyncQueue(tasks)
        find_queues = connector_queues(tuple(self._connectors.values()), self._outbox, lambda: self._follower.configuration)
        limits = RateLimits(
            lambda: self._follower.configuration,
            self._local_counter,
            self._shared_counter,
            lambda: f"{settings.name}/{os.getpid()}",
            partial(self._bus.publish, self._reset_topic),
        )
        return {
            **statistics_actions(reader, http),
            **recording_actions(self._statistics.recordings),
            **kvdb_actions(tasks.conn, kvdb),
            **cache_actions(lambda: context().cache),
            **queue_actions(lambda: [async_queue, *find_queues()]),
            **connector_ping_actions(self._connectors.values()),
            **connector_actions(self._connectors.values, self._kinds),
            **sending_actions(AMQPSender(self._connectors["amqp"], settings.name), JMSWMQSender(self._connectors["jms-wmq"])),
            **rate_limit_actions(limits),
            **server_actions(settings.cluster, settings.name),
            **service_source_actions(settings.name, lambda: self._follower.configuration),
            **package_actions(),
        }

    @property
    def graceful_timeout_s(self) -> float:
        return self._settings.graceful_timeout_s

    def rehearse(self) -> None:
        """Do in the master what each worker would have to do first."""
        rehearse(self._database, self._settings, self._kinds, self._objects)
        self._offer_own_services()

    def start(self) -> None:
        """Load the configuration. While the ODB can't be reached the worker runs, is not ready, and tries again."""
        if not self._try_to_load():
            gevent.spawn(self._load_at_last)
        gevent.spawn(self._presence.report_for_ever)
        gevent.spawn(self._say_how_connections_fare)
        gevent.spawn(flush_for_ever, (self._statistics, self._traffic), _WRITE_SECONDS_EVERY_S, _SECONDS_UNTIL_ALL)
        self._overseer.start()

    def load(self) -> None:
        """Take up the configuration as it is now. Raises Unavailable when the ODB can't be reached."""
        self._follower.load()
        self._is_loaded = True

    def _make_context(self, invoker: Invoker, box: SecretBox, tasks: Tasks) -> ServerContext:
        settings = self._settings
        mq = self._connectors["jms-wmq"]
        return ServerContext(
            settings.name,
            invoker,
            Outgoing(
                lambda: running_state(self._state).connections,
                {
                    "amqp": AMQPSender(self._connectors["amqp"], settings.name),
                    "zmq": ZMQSender(self._connectors["zmq"]),
                    "jms_wmq": JMSWMQSender(mq),
                    **dict.fromkeys(("ibm_mq", "wmq"), IBMMQSender(mq)),
                },
            ),
            KeyValueDB(settings.redis_url, settings.services_folder / "lua" / "user"),
            cluster=settings.cluster,
            folder=settings.services_folder,
            box=box,
            signing_key=hashlib.sha256(b"cache\0" + settings.secret_keys[0].encode()).digest(),
            user_config=settings.user_config_paths,
            tasks=tasks,
            usage=self._usage,
            statistics=self._statistics,
            odb=self._database,
            configuration=lambda: running_state(self._state).configuration,
        )

    def _connector(self, protocol: str, addresses: tuple[str, ...], pinged: tuple[str, ...]) -> ConnectorClient:
        return ConnectorClient(
            protocol,
            addresses,
            self._connect,
            self._outbox,
            options_of(lambda: self._state.configuration),
            pinged,
        )

    def _connect(self, address: str) -> "Client":
        from zato.common.rpc.client import Client  # not for workers that send nothing through connectors: see rehearsal.py

        settings = self._settings
        return Client(address, token=settings.token, tls=settings.tls(), on_refusal=self._refusals.take)

    def is_ready(self) -> bool:
        return self._is_loaded and not self._is_stopping

    def stop_accepting(self) -> None:
        self._is_stopping = True
        self._stop_by = time.monotonic() + self._settings.graceful_timeout_s
        self._follower.stop_waiting()
        self._task_consumer.stop_reading()

    def stop(self) -> None:
        # Their time is the requests' time too: gunicorn's master does not wait any longer.
        self._task_consumer.stop(max(0.0, self._stop_by - time.monotonic()))
        self._usage.flush()
        self._statistics.flush()
        self._traffic.flush()
        self._presence.end()
        self.flush_log()
        self._overseer.stop()
        self._shared_counter.close()
        self._bus.close()
        self._database.close()

    def flush_log(self) -> None:
        """Write the lines of requests, calls and messages that wait for others to be written with."""
        for lines in (self._access_log, self._call_log, self._message_log):
            lines.flush()

    def tick(self, open_connections: int) -> int:
        """Return how many requests this worker has answered."""
        self._metrics.set_connections(open_connections)
        self._traffic.add(self._metrics.flush())
        return self._metrics.requests

    def http_settings(self, worker: Worker | StockWorker) -> ConnectionSettings:
        settings = self._settings
        limits = ParserLimits(
            settings.max_request_line_bytes, settings.max_headers, settings.max_header_bytes, settings.max_body_bytes
        )
        timeouts = Timeouts(
            settings.header_timeout_s, settings.body_timeout_s, settings.idle_timeout_s, settings.write_timeout_s
        )
        return ConnectionSettings(
            limits,
            timeouts,
            self._pipeline,
            worker.head_writer,
            lambda: worker.is_stopping,
            BodyBudget(settings.body_budget_bytes),
            self._metrics.count_refused,
            make_tokenizer=_make_tokenizer(settings.http_parser),
            opening=_opening(settings),
        )

    def rpc_settings(self, worker: Worker | StockWorker) -> ConnectionSettings:
        """The sidecar is one of us: it keeps connections for as long as it likes, and may send whole packages."""
        limits = ParserLimits(8190, 100, 8190, _RPC_MAX_BODY_BYTES)
        for_ever = Timeouts(header_s=1e9, body_s=1e9, idle_s=1e9, write_s=1e9)
        return ConnectionSettings(limits, for_ever, self._handle_internal, worker.head_writer, lambda: worker.is_stopping)

    def _handle_internal(self, request: Request) -> Any:
        if request.path.startswith("/__rpc/"):
            begin_with(self._state)
            return self._rpc(request)
        return self._pipeline(request)

    def _make_pipeline(self, invoker: Invoker) -> Handler:
        steps = [
            make_client_address_step(self._settings.trusted_networks),
            make_probe_step(self.is_ready, self._settings.metrics_folder),
            make_access_log_step(self._metrics, self._access_log),
            finish_response,
            make_error_step(return_tracebacks=self._settings.return_tracebacks),
            make_match_step(self._current_state, frozenset(self._settings.methods_allowed)),
            make_decompress_step(self._settings.max_body_bytes),
            check_security,
            make_limits_step(RateLimiter(self._local_counter, self._shared_counter)),
            make_cache_step(invoker),
            make_deadline_step(self._overseer, self._settings.request_timeout_s),
        ]
        contracts = Contracts(lambda service: self._store.get(service).cls, lambda cls: read_declaration(cls, Service))
        return fold(steps, make_endpoint(invoker, contracts))

    def _run_task(self, invoker: Invoker, task: Task) -> Any:
        begin_with(self._state)
        return run_task(invoker, task)

    def _current_state(self) -> WorkerState:
        if not self._is_loaded:
            raise Unavailable("The server has not loaded its configuration yet: try again in a moment")
        return self._state

    def _try_to_load(self) -> bool:
        try:
            self.load()
        except ZatoError as exc:
            log.warning("configuration_not_loaded", error=exc.message)
            return False
        name, pid = self._settings.name, os.getpid()
        self._task_consumer.start(f"{name}:{pid}:{new_cid()}")
        self._forwarder.start(f"{name}/{pid}")
        self._follower.listen(self._bus, self._topic)
        self._bus.subscribe(self._broadcasts, self._hear_broadcast)
        self._bus.subscribe(self._reset_topic, self._local_counter.reset)
        return True

    def _load_at_last(self) -> None:
        is_loaded = False
        while not is_loaded:
            gevent.sleep(_RETRY_LOAD_S)
            try:
                is_loaded = self._try_to_load()
            except Exception:
                log.exception("configuration_not_loaded")

    def _take_up(self, update: Update) -> None:
        configuration = update.configuration
        removed = update.removed_files
        if update.is_whole:
            # What an ODB that went back to a backup does not know at all has no version that says so.
            gone = self._deployer.file_names - {file.name for file in update.changed_files}
            removed = {**dict.fromkeys(gone, 0), **removed}
        # Before new services come: one that is switched off must not run in between.
        self._store.replace_states(service_states(configuration))
        outcomes = self._deployer.apply(update.changed_files, removed)
        self._offer_own_services()
        old = self._state
        gate = self._gate = self._gate.follow(configuration)
        own_channels = document_channels(self._settings, gate.guard)
        if self._settings.admin_over_http:
            own_channels += [json_api_channel(), soap_api_channel()]
        router = Router([*own_channels, *self._channels.of(configuration, gate)])
        limits = dict(definition_limits(configuration))
        ids = {(each.kind, each.name): each.id for each in configuration.objects.values() if each.kind in SECURITY_KINDS}
        self._state = WorkerState(configuration, router, old.connections.follow(configuration), limits, ids)
        gevent.spawn_later(_CLOSE_CONNECTIONS_AFTER_S, _retire, old, self._state.connections)
        now = utc_now()
        # Another server's clock may be ahead of ours: what it has just changed did not take less than no time.
        lags_s = [max(0.0, (now - changed_at).total_seconds()) for changed_at in update.changed_at]
        self._metrics.observe_lags(lags_s)
        log.info(
            "configuration_applied",
            version=configuration.version,
            objects=len(configuration.objects),
            lag_s=round(max(lags_s, default=0.0), 3),
        )
        self._report(configuration.version, outcomes)

    def _offer_own_services(self) -> None:
        """Hundreds of classes are made for these: not with each change, only when kinds have come."""
        if self._kinds.registry is not self._registry_of_services:
            self._store.replace_internal(self._own_services())
            self._registry_of_services = self._kinds.registry

    def _own_services(self) -> list[ServiceEntry]:
        log_in_services = security_services(lambda: self._gate.log_in)
        own_services = [*internal_services(), *log_in_services, *admin_services(self._admin, self._other_actions)]
        own_services += [made_with(each, self._sign_in) for each in (AdminOverJSON, AdminOverSOAP)]
        return [*own_services, *document_services(self.documents, self._settings)]

    def _report(self, version: int, outcomes: list[Outcome]) -> None:
        self._metrics.set_config_version(version, os.getpid())
        for outcome in outcomes:
            self._metrics.count_deployment(is_ok=outcome.is_ok)
            fields = {"file_name": outcome.file_name, "version": outcome.version, "version_running": outcome.version_running}
            if outcome.is_ok:
                log.info("deployment_taken_up", **fields)
            else:
                log.warning("deployment_not_taken_up", reason=outcome.reason, **fields)
        self._presence.report(version, outcomes)

    def _say_how_connections_fare(self) -> None:
        while True:
            gevent.sleep(_REPORT_CONNECTIONS_EVERY_S)
            self._status.report(self._state.connections)

    def _register_kinds(self, request: RegisterKindsRequest, author: Author) -> None:
        register_kinds(self._database, self._bus, self._topic, request.part, request.kinds, author, _OWN_KINDS)


def _make_tokenizer(http_parser: str) -> MakeTokenizer:
    if http_parser == "httptools":
        from zato.server.http.httptools_tokenizer import HttptoolsTokenizer

        return HttptoolsTokenizer
    return H1CTokenizer


def _opening(settings: ServerSettings) -> Opening | None:
    if not settings.proxy_networks and not settings.http_tls_certificate:
        return None
    tls = None
    if settings.http_tls_certificate:
        tls = server_tls(Path(settings.http_tls_certificate), Path(settings.http_tls_key))
    return Opening(within(settings.proxy_networks), tls, settings.header_timeout_s)


def _retire(state: WorkerState, newer: ConnectionPool) -> None:
    state.hold.state = None
    state.connections.close_all_but(newer)


def _task_settings(settings: ServerSettings) -> TaskSettings:
    return TaskSettings(
        concurrency=settings.async_concurrency,
        max_attempts=settings.async_max_attempts,
        retry_after_s=settings.async_retry_after_s,
        claim_after_s=settings.async_claim_after_s,
        needs_persistence=settings.async_needs_persistence,
    )


def _invoke_rules(settings: ServerSettings) -> InvokeRules:
    return InvokeRules(
        NamePatterns(settings.invoke_patterns_allowed),
        NamePatterns(settings.invoke_target_patterns_allowed),
        enforces_invokes=settings.enforce_service_invokes,
    )


def _shared_counter(settings: ServerSettings) -> RedisCounter:
    fallback = LocalCounter() if settings.rate_limits_without_redis == "allow" else None
    return RedisCounter(settings.redis_url, f"zato:{settings.cluster}:rate", fallback)
