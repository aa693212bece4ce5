"""Starts the sidecar; the server's master does, with the server's own settings."""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from zato.common import logs
from zato.common.certificates.keeping import CertificateKeeper
from zato.common.errors import ZatoError
from zato.common.rpc.aio import AioClient, AioServer
from zato.common.rpc.handshakes import handshakes_watched
from zato.server.config import ServerSettings, read_settings
from zato.server.sidecar.forward import Workers
from zato.server.sidecar.grpc import SERVICES, add_services, lets_in
from zato.server.sidecar.membership import Membership
from zato.server.sidecar.pickup import Pickup
from zato.server.sidecar.refusals import Reporter

log = logs.get_logger(__name__)

_PARENT_EVERY_S = 0.5
_READY_EVERY_S = 0.2
_GRACE_S = 5.0
_COLLECT_AFTER = 20_000


class Sidecar:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._stopped = asyncio.Event()
        self._workers = Workers(settings.rpc_socket)
        self._refusals = Reporter(self._workers, settings.name)
        self._server = AioServer(
            settings.grpc_address,
            token=settings.token,
            services=SERVICES,
            add=lambda server: add_services(
                server, self._workers, settings.token, lambda: self._server.door, settings.package_max_bytes
            ),
            tls=settings.tls(),
            checks_roles=settings.is_enrolled,
            on_refusal=self._refusals.refusals.take,
            lets_in=lets_in,
        )
        self._membership = self._make_membership(settings)
        self._pickup = Pickup(
            settings.pickup_folder,
            settings.work_folder / "pickup.json",
            self._workers,
            settings.name,
            undeploy_deleted=settings.undeploy_deleted,
            limits=settings.package_limits,
        )

    async def run(self) -> None:
        """Serve until told to stop, or until the server's master is gone."""
        with handshakes_watched(self._settings.tls(), self._refusals.refusals.take):
            await self._serve()

    async def _serve(self) -> None:
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, self._stopped.set)
        await self._server.start()
        # What is imported stays; calls leave few cycles behind, and make many objects that die by themselves.
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        log.info("sidecar_started", grpc=self._settings.grpc_address)
        works = (self._watch_parent(), self._watch_workers(), self._pickup.watch(), self._refusals.report())
        tasks = [asyncio.create_task(work) for work in works]
        if self._membership is not None:
            tasks.append(asyncio.create_task(self._membership.keep()))
        for task in tasks:
            task.add_done_callback(self._on_done)
        await self._stopped.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stop()

    async def _stop(self) -> None:
        """Doors first: no new requests from the load-balancer, no new calls, then those that run."""
        if self._membership is not None:
            await self._membership.leave()
        self._workers.say_stopping()
        await self._server.stop(_GRACE_S)
        self._workers.close()

    def _make_membership(self, settings: ServerSettings) -> Membership | None:
        if not settings.lb_agent_address:
            return None
        take = self._refusals.refusals.take
        agent = AioClient(settings.lb_agent_address, token=settings.token, tls=settings.tls(), on_refusal=take)
        address = settings.advertised_address or settings.http_address
        return Membership(agent, self._workers, settings.name, address, self._refusals)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        """A task of ours never ends by itself. If one does, the master starts a new sidecar."""
        if not task.cancelled() and task.exception() is not None:
            log.error("sidecar_task_failed", exc_info=task.exception())
            self._stopped.set()

    async def _watch_parent(self) -> None:
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(_PARENT_EVERY_S)
        log.warning("server_gone")
        self._stopped.set()

    async def _watch_workers(self) -> None:
        """Say in gRPC's health checks whether calls should come here."""
        was_ready = False
        while True:
            is_ready = await self._workers.is_ready()
            if is_ready != was_ready:
                await self._server.set_serving(is_ready)
                was_ready = is_ready
            await asyncio.sleep(1.0 if is_ready else _READY_EVERY_S)


async def run(settings: ServerSettings) -> None:
    await Sidecar(settings).run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="zato-server-sidecar", description=__doc__)
    parser.add_argument("--folder", type=Path)
    settings = read_settings(parser.parse_args().folder, os.environ)
    logs.configure(settings.name, log_format=settings.log_format, level=settings.log_level)
    try:
        with _certificate(settings) as is_there:
            if is_there:
                uvloop.run(run(settings))
    except ZatoError as exc:
        log.error("sidecar_not_started", error=exc.message)
        return 1
    return 0


@contextlib.contextmanager
def _certificate(settings: ServerSettings) -> Iterator[bool]:
    """Have a certificate inside, renewed in time; False when the server ended while we waited for one."""
    if not settings.is_enrolled:
        yield True
        return
    parent = os.getppid()

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return os.getppid() != parent

    keeper = CertificateKeeper(settings, wait)
    is_there = keeper.begin()
    try:
        yield is_there
    finally:
        keeper.end()


if __name__ == "__main__":
    sys.exit(main())
