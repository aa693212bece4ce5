"""What programs ask for: whether we work."""

from flask import Blueprint

from zato.webadmin.guard import open_to_strangers
from zato.webadmin.menu import Entry
from zato.webadmin.part import READY_PATH

PAGE = Blueprint("health", __name__)
MENU: tuple[Entry, ...] = ()


@PAGE.get(READY_PATH)
@open_to_strangers
def ready() -> tuple[dict[str, str], int]:
    return {"status": "ready"}, 200
