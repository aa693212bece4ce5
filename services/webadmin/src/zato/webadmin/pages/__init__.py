"""
The pages, a module for each screen. A new one: a module with its `PAGE`, a Flask blueprint, and its `MENU`, the lines that it
has in the menu, then a word in `_SCREENS`; its templates are in `templates/<its name>/`.
"""

from flask import Blueprint

from zato.webadmin.menu import Entry
from zato.webadmin.pages import (
    account,
    accounts,
    audit,
    certificates,
    cluster,
    dictionary,
    health,
    home,
    kvdb,
    load_balancer,
    objects,
    queues,
    scheduler,
    services,
    sets,
)

# In the order of the menu.
_SCREENS = (
    home,
    services,
    scheduler,
    queues,
    cluster,
    load_balancer,
    objects,
    dictionary,
    kvdb,
    sets,
    audit,
    certificates,
    accounts,
    account,
    health,
)

PAGES: tuple[Blueprint, ...] = tuple(screen.PAGE for screen in _SCREENS)
ENTRIES: tuple[Entry, ...] = tuple(entry for screen in _SCREENS for entry in screen.MENU)
