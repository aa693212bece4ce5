"""Case O10: the ORM over an outgoing connection, a named cache, settings of the user's, HTTP's cache headers."""

from contextlib import closing
from http.client import NOT_FOUND, OK

from rate_table import Rate
from sqlalchemy import and_

from zato.server.service import Integer, Service


class Get(Service):
    class SimpleIO:
        input_required = Integer("id")
        output_optional = ("id", "date_from", "date_to", "base_price", "bed_price", "published", "days")
        skip_empty_keys = True

    def answer(self, entry, payload):
        self.response.status_code = OK
        self.response.headers["Cache-Control"] = self.user_config.genesisng.cache.default_cache_control
        self.response.headers["Last-Modified"] = entry.last_write_http
        self.response.headers["ETag"] = entry.hash
        self.response.headers["Content-Language"] = "en"
        self.response.payload = payload

    def handle(self):
        key = "id-%s" % self.request.input.id
        cache = self.cache.get_cache("builtin", "rates")
        entry = cache.get(key, details=True)
        if entry:
            self.answer(entry, entry.value)
            return
        connection_name = self.user_config.genesisng.database.connection
        with closing(self.outgoing.sql.get(connection_name).session()) as session:
            wanted = and_(Rate.id == self.request.input.id, Rate.published.is_(True))
            found = session.query(Rate).filter(wanted).one_or_none()
            if found:
                self.answer(cache.set(key, found.asdict(), details=True), found)
                return
        self.response.status_code = NOT_FOUND
        self.response.headers["Cache-Control"] = "no-cache"
        self.response.headers["Content-Language"] = "en"
