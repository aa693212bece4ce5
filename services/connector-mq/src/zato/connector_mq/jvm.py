"""The Java virtual machine in this process: one, started when the first definition wants it, and never ended by us."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.connector_mq.config import MQSettings

log = get_logger(__name__)

_lock = threading.Lock()


def started(settings: MQSettings) -> Any:
    """
    Return the module `jpype` with its machine running.

    Raises:
        Unavailable: It cannot run here; says what is missing.
    """
    try:
        import jpype
        import jpype.config
    except ImportError as exc:
        raise Unavailable("The provider jms is not installed: pip install 'zato-connector-mq[jms]'") from exc
    with _lock:
        if not jpype.isJVMStarted():
            # Clients have threads of their own that do not end: who waits for them at our exit waits for ever.
            jpype.config.destroy_jvm = False
            archives = find_archives(settings.jars)
            # -Xrs and `interrupt`: signals stay Python's, or TERM would end the process without a drain.
            options = ("-Xrs", *settings.java_options)
            try:
                jpype.startJVM(*options, classpath=archives, convertStrings=False, interrupt=False)
            except Exception as exc:
                raise Unavailable(f"No Java virtual machine starts: {exc}; install a JRE, e.g. default-jre-headless") from exc
            log.info("java_started", version=str(jpype.getJVMVersion()), archives=len(archives))
    return jpype


def find_archives(places: Sequence[str]) -> list[str]:
    """
    Return the files that are meant by files and folders.

    Raises:
        Unavailable: There are none.
    """
    found: list[str] = []
    for place in map(Path, places):
        found += map(str, sorted(place.glob("*.jar"))) if place.is_dir() else [str(place)] if place.exists() else []
    if not found:
        raise Unavailable(
            f"There is no JMS client in {', '.join(places) or 'no place at all'}: name its .jar files, or their folder, "
            "in the connector's setting 'jars'"
        )
    return found
