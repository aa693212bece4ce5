"""Connects the parts of the web admin, and is the only module that knows them all."""

from pathlib import Path

import redis
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from zato.webadmin import failures, guard, templating
from zato.webadmin.cluster import Cluster
from zato.webadmin.config import WebAdminSettings
from zato.webadmin.context import KEY, Lifetime, WebAdmin
from zato.webadmin.kinds import Kinds
from zato.webadmin.live import live_traffic
from zato.webadmin.pages import PAGES
from zato.webadmin.parts import Parts
from zato.webadmin.preferences import PreferenceStore
from zato.webadmin.rates import Rates
from zato.webadmin.sessions import Sessions

_REDIS_S = 1.0
_FORM_BYTES = 1_000_000
_YEAR_S = 31_536_000


def create_app(settings: WebAdminSettings) -> Flask:
    app = Flask("zato.webadmin", root_path=str(Path(__file__).parent), static_url_path="/static")
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes + _FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=settings.max_upload_bytes + _FORM_BYTES,
        MAX_FORM_PARTS=2000,
        # Their addresses have their release in them.
        SEND_FILE_MAX_AGE_DEFAULT=_YEAR_S,
    )
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S, retry=None)
    prefix = f"zato:{settings.cluster}:webadmin:"
    app.extensions[KEY] = WebAdmin(
        settings,
        Cluster(settings.server_addresses, settings.token, settings.tls),
        Sessions(client, prefix, idle_s=settings.idle_timeout_s, most_s=settings.session_timeout_s),
        PreferenceStore(client, prefix),
        Kinds(),
        Parts(settings),
        Lifetime(),
        live_traffic(app.jinja_env),
        Rates(),
    )
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    guard.install(app)
    failures.install(app)
    templating.install(app)
    for page in PAGES:
        app.register_blueprint(page)
    return app
