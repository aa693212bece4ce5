"""Builds everything from the settings and runs it until it is told to stop."""

import threading

from zato.ca.config import CASettings
from zato.ca.grpc import (
    AUTHORITY,
    AUTHORITY_TOKENLESS,
    ENROLMENT,
    ENROLMENT_TOKENLESS,
    AuthorityService,
    EnrolmentService,
)
from zato.ca.hierarchy import Hierarchy
from zato.ca.imports import Imported
from zato.ca.issuing import Addresses, Issuing
from zato.ca.metrics import Metrics
from zato.ca.own import OwnCertificate
from zato.ca.registry import Registry
from zato.ca.store import Store
from zato.common.certificates.identity import Identity
from zato.common.clock import Clock, SystemClock
from zato.common.errors import InvalidOptions
from zato.common.logs import get_logger
from zato.common.plain_http import PublicServer
from zato.common.rpc.handshakes import handshakes_watched
from zato.common.rpc.refusals import Refusals
from zato.common.rpc.server import ThreadedServer
from zato.common.secrets import CannotDecrypt, SecretBox
from zato.proto.certificate_authority.v1.certificate_authority_pb2_grpc import (
    add_CertificateAuthorityServicer_to_server,
    add_EnrolmentServicer_to_server,
)

log = get_logger(__name__)

IDENTITY_FOLDER = "identity"
_TICK_S = 0.5
_RPC_GRACE_S = 2.0


class Core:
    """The authority without its doors. `zato ca create` needs no more; tests neither."""

    def __init__(self, settings: CASettings, clock: Clock | None = None) -> None:
        try:
            box = SecretBox([settings.secret_key])
        except CannotDecrypt as exc:
            raise InvalidOptions(f"'secret_key': {exc.message}") from None
        self.metrics = Metrics()
        self.store = Store(settings.work_folder, clock or SystemClock())
        addresses = Addresses(settings.public(settings.enrol_address), settings.public(settings.grpc_address))
        self.hierarchy = Hierarchy(self.store, box, settings.name, settings.lifetimes)
        self.issuing = Issuing(self.store, self.hierarchy, settings.limits, addresses, self.metrics)
        self.registry = Registry(self.store, self.hierarchy, self.metrics)

    def prepare(self, imported: Imported | None = None) -> bool:
        """Make the authorities, or take the imported ones, unless there are some; says whether it did."""
        try:
            return self.hierarchy.prepare(imported)
        except BaseException:
            self.store.close()
            raise


class CertificateAuthority:
    """
    Raises:
        ZatoError: It cannot run here: a port is taken, another one uses the folder, the secret key is another one.
    """

    def __init__(self, settings: CASettings) -> None:
        self._settings = settings
        core = self._core = Core(settings)
        core.prepare()
        identity = Identity(settings.work_folder / IDENTITY_FOLDER)
        self._own = OwnCertificate(identity, settings.own_names, core.issuing)
        self._own_lock = threading.Lock()
        self._refresh()
        self._refusals = Refusals()
        enrolment = EnrolmentService(core.issuing)
        authority = AuthorityService(core.store, core.issuing, core.registry, core.hierarchy, self._refresh)
        self._servers = (
            ThreadedServer(
                settings.enrol_address,
                token=settings.token,
                services=[ENROLMENT],
                add=lambda server: add_EnrolmentServicer_to_server(enrolment, server),
                tls=identity.tls,
                demands_certificates=False,
                on_refusal=self._refusals.take,
                tokenless=ENROLMENT_TOKENLESS,
            ),
            ThreadedServer(
                settings.grpc_address,
                token=settings.token,
                services=[AUTHORITY],
                add=lambda server: add_CertificateAuthorityServicer_to_server(authority, server),
                tls=identity.tls,
                on_refusal=self._refusals.take,
                tokenless=AUTHORITY_TOKENLESS,
            ),
        )
        self._tls = identity.tls
        self._http = PublicServer(
            settings.http_address,
            {
                "/metrics": ("text/plain; version=0.0.4", lambda: core.metrics.render(core.registry.state())),
                "/authorities.pem": ("application/x-pem-file", self._trusted),
                "/health/ready": ("text/plain", lambda: b"ready\n"),
            },
        )

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, then end what was begun."""
        with handshakes_watched(self._tls, self._refusals.take):
            self._serve(stop)

    def _serve(self, stop: threading.Event) -> None:
        for server in self._servers:
            server.start()
        self._http.start()
        log.info("ca_started", grpc=self._settings.grpc_address, enrol=self._settings.enrol_address)
        try:
            while not stop.wait(_TICK_S):
                self._tick()
        finally:
            log.info("ca_stopping")
            self._http.stop()
            for server in self._servers:
                server.stop(_RPC_GRACE_S)
            self._core.store.close()
        log.info("ca_stopped")

    def _tick(self) -> None:
        try:
            if self._settings.rotates_itself:
                self._core.hierarchy.rotate_when_due()
            self._refresh()
            self._note_refusals()
        except Exception:  # the loop must go on, whatever we did not think of
            log.exception("tick_failed")

    def _note_refusals(self) -> None:
        for kept in self._refusals.offer():
            self._core.issuing.record_refused_peer(kept.refusal)
            self._refusals.noted([kept.id])

    def _refresh(self) -> None:
        with self._own_lock:
            self._own.refresh(self._core.store, self._core.hierarchy)

    def _trusted(self) -> bytes:
        with self._core.store.read() as read:
            return self._core.hierarchy.trusted(read)
