"""What pages are made with, and where a request finds it."""

from dataclasses import dataclass, replace
from typing import Any

from flask import current_app, g

from zato.webadmin.cluster import Cluster
from zato.webadmin.config import WebAdminSettings
from zato.webadmin.kinds import Kinds
from zato.webadmin.live import LiveTraffic
from zato.webadmin.parts import Parts
from zato.webadmin.person import Person
from zato.webadmin.preferences import PreferenceStore
from zato.webadmin.rates import Rates
from zato.webadmin.sessions import Sessions

KEY = "zato"


class Lifetime:
    """Whether the process is to end, for what would otherwise go on: streams."""

    def __init__(self) -> None:
        self.worker: Any = None

    @property
    def is_over(self) -> bool:
        return self.worker is not None and not self.worker.alive


@dataclass(frozen=True)
class WebAdmin:
    settings: WebAdminSettings
    cluster: Cluster
    sessions: Sessions
    preferences: PreferenceStore
    kinds: Kinds
    parts: Parts
    lifetime: Lifetime
    live: LiveTraffic
    rates: Rates


def webadmin() -> WebAdmin:
    """Return that of the application whose request is answered now."""
    made: WebAdmin = current_app.extensions[KEY]
    return made


def tell(person: Person, text: str, level: str = "done") -> None:
    """Let the next page that they open say something: "done", "note" or "problem"."""
    session = webadmin().sessions.find(g.cookie) or person.session
    webadmin().sessions.change(g.cookie, replace(session, notices=(*session.notices, (level, text))))


def take_notices(person: Person) -> tuple[tuple[str, str], ...]:
    """Return what was to be told, once."""
    if person.session.notices:
        webadmin().sessions.change(g.cookie, replace(person.session, notices=()))
    return person.session.notices
