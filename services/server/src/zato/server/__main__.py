"""Starts a server: `python -m zato.server --folder PATH`, or with all settings in the environment."""

# Before anything else: what was imported before it was patched would block a whole worker.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from zato.common import logs  # noqa: E402
from zato.common.errors import InvalidOptions, Unavailable, ZatoError  # noqa: E402
from zato.common.settings import describe_settings  # noqa: E402
from zato.server.config import ServerSettings, read_settings  # noqa: E402

EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2
_RETRY_ODB_S = 1.0

log = logs.get_logger(__name__)


def main() -> int:
    parser = argparse.ArgumentParser(prog="zato-server", description=__doc__)
    parser.add_argument("--folder", type=Path, help="folder with settings.toml and secrets.toml; else the environment alone")
    parser.add_argument("--show-config", action="store_true", help="print the settings, secrets masked, and end")
    arguments = parser.parse_args()
    try:
        settings = read_settings(arguments.folder, os.environ)
    except InvalidOptions as exc:
        print(f"zato-server: {exc.message}", file=sys.stderr)  # noqa: T201 (there is no log yet)
        return EXIT_BAD_SETTINGS
    if arguments.show_config:
        print(json.dumps(describe_settings(settings), indent=2))  # noqa: T201
        return 0
    logs.configure(settings.name, log_format=settings.log_format, level=settings.log_level)
    try:
        return _run(settings, arguments.folder)
    except (ZatoError, OSError) as exc:
        log.error("server_not_started", error=str(exc))
        return EXIT_FAILED


def _run(settings: ServerSettings, folder: Path | None) -> int:
    _prepare_folders(settings)
    # Read by prometheus_client when it is imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_folder)
    _upgrade_odb(settings)
    # It stays: while the rest is imported nobody need look through it for garbage, again and again.
    gc.freeze()
    from zato.server.arbiter import Server

    command = [sys.executable, "-m", "zato.server.sidecar", *(["--folder", str(folder)] if folder else [])]
    log.info("server_starting", http=settings.http_address, grpc=settings.grpc_address, workers=settings.workers)
    Server(settings, command).run()
    return 0


def _prepare_folders(settings: ServerSettings) -> None:
    settings.work_folder.mkdir(parents=True, exist_ok=True)
    settings.work_folder.chmod(0o700)
    settings.pickup_folder.mkdir(parents=True, exist_ok=True)
    # Sources are written anew from the ODB: those of versions that nobody runs any more would stay for ever.
    for folder in (settings.metrics_folder, settings.sources_folder, settings.trials_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()


def _upgrade_odb(settings: ServerSettings) -> None:
    """Bring the database up to date; wait for one that is not there yet, since parts start in any order."""
    # Its lines about its own set-up, some of them logged while it is imported, tell an operator nothing.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from zato.server.odb import schema
    from zato.server.odb.database import Database

    database = Database(settings.odb_url)
    is_reported = False
    while True:
        try:
            is_migrated = schema.upgrade(database)
            break
        except Unavailable as exc:
            if not is_reported:
                log.warning("odb_not_reachable", error=exc.message)
            is_reported = True
            time.sleep(_RETRY_ODB_S)
    # No connection may be older than the fork.
    database.close()
    if is_migrated:
        # What migrations import would stay in this process and in all workers: start again without it.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (a list of arguments, no shell)


if __name__ == "__main__":
    sys.exit(main())
