"""The numbers of the overview as they come: asked once for all who look at them, however many there are."""

import json
import threading
import time
from collections.abc import Callable, Iterator

from jinja2 import Environment

from zato.common.errors import Unauthorized, ZatoError
from zato.common.logs import get_logger
from zato.webadmin.person import Person
from zato.webadmin.traffic import LIVE, Traffic, traffic_of

log = get_logger(__name__)

_EVERY_S = 0.25
# So often each stream looks whether it goes on, whatever comes.
_LOOK_EVERY_S = 2.0


def numbers_of(traffic: Traffic, templates: Environment) -> str:
    """Return JSON of what charts draw, and of the tables and tiles as they are shown."""
    html = templates.get_template("home/numbers.html").render(traffic=traffic)
    return json.dumps({"points": traffic.points, "html": html})


class LiveTraffic:
    """
    One thread asks the servers while anybody looks, as each of these people in turn: so whoever is not let in any more is
    found out, too.

    Args:
        ask: Returns what is sent to a browser, for the person that asks.
    """

    def __init__(self, ask: Callable[[Person], str], every_s: float = _EVERY_S) -> None:
        self._ask = ask
        self._every_s = every_s
        self._changed = threading.Condition()
        # Who looks; whoever was asked for goes to the end.
        self._viewers: dict[object, Person] = {}
        self._is_asking = False
        self._count = 0
        self._latest = ""

    def events(self, person: Person, goes_on: Callable[[], bool]) -> Iterator[str]:
        """Yield server-sent events until that person is not let in any more, or it is said not to go on."""
        viewer = object()
        with self._changed:
            seen = self._count
            self._viewers[viewer] = person
            self._begin_to_ask()
        try:
            while goes_on():
                with self._changed:
                    self._changed.wait_for(lambda seen=seen: self._count > seen, _LOOK_EVERY_S)  # type: ignore[misc]
                    is_new, seen, latest = self._count > seen, self._count, self._latest
                    is_let_in = viewer in self._viewers
                if not is_let_in:
                    break
                if is_new:
                    yield latest
        finally:
            with self._changed:
                self._viewers.pop(viewer, None)

    def _begin_to_ask(self) -> None:
        if not self._is_asking:
            self._is_asking = True
            threading.Thread(target=self._ask_while_somebody_looks, name="live", daemon=True).start()

    def _ask_while_somebody_looks(self) -> None:
        while True:
            began_at = time.monotonic()
            with self._changed:
                if not self._viewers:
                    self._is_asking = False
                    return
                viewer, person = next(iter(self._viewers.items()))
                del self._viewers[viewer]
                self._viewers[viewer] = person
            event = self._event(person)
            with self._changed:
                if event is None:
                    self._viewers.pop(viewer, None)
                else:
                    self._latest = event
                    self._count += 1
                self._changed.notify_all()
            # At least a little, when answers take longer than that.
            time.sleep(max(self._every_s / 5, began_at + self._every_s - time.monotonic()))

    def _event(self, person: Person) -> str | None:
        """Return what all are told, None when this person is not let in."""
        try:
            return f"data: {self._ask(person)}\n\n"
        except Unauthorized:
            return None
        except ZatoError as exc:
            missing = exc.message
        except Exception:
            # Else those who look now, and all who come, would wait for ever.
            log.exception("traffic_not_asked")
            missing = "The numbers cannot be had now: the log of the web admin says why."
        return f"event: missing\ndata: {json.dumps(missing)}\n\n"


def live_traffic(templates: Environment) -> LiveTraffic:
    return LiveTraffic(lambda person: numbers_of(traffic_of(person, LIVE), templates))
