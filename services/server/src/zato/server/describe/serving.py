"""The documents and their pages, under /zato/openapi*.json and /zato/docs*, as services and channels of the platform's own."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zato.common.errors import NotFound
from zato.server.config import ServerSettings
from zato.server.describe.documents import ADMIN, SERVICES, Documents
from zato.server.describe.page import HEADERS, render_page
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.formats import dump_json
from zato.server.security.definitions import Verifier
from zato.server.service import Service
from zato.server.services.store import ServiceEntry

OFF, CREDENTIALS, ANYONE = "off", "credentials", "anyone"
_PAGE_TITLES: Mapping[str, str] = {SERVICES: "Services", ADMIN: "Admin API"}
# By a document's name, where it is and where its page is.
_PATHS: Mapping[str, tuple[str, str]] = {
    SERVICES: ("/zato/openapi.json", "/zato/docs"),
    ADMIN: ("/zato/openapi-admin.json", "/zato/docs/admin"),
}


class DocumentService(Service):
    """The base of what answers with a document; its subclasses are made, each for one document."""

    documents: ClassVar[Documents]
    document_name: ClassVar[str]
    shown: ClassVar[tuple[str, ...]]

    def _document(self) -> dict[str, Any]:
        if self.document_name not in self.shown:
            raise NotFound("There is nothing at this path: check the address")
        # What settings let out by HTTP is for readers who are no administrators.
        return self.documents.get(self.document_name, is_public=True)


class OpenAPI(DocumentService):
    """Answers with an OpenAPI document."""

    def handle(self) -> None:
        self.response.payload = dump_json(self._document())
        self.response.content_type = "application/json"
        self.response.headers.update({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"})


class Page(DocumentService):
    """Answers with a document's page."""

    def handle(self) -> None:
        others = {_PAGE_TITLES[each]: _PATHS[each][1] for each in self.shown if each != self.document_name}
        links = {"OpenAPI 3.1": _PATHS[self.document_name][0], **others}
        self.response.payload = render_page(self._document(), links=links).encode()
        self.response.content_type = "text/html; charset=utf-8"
        self.response.headers.update({**HEADERS, "Cache-Control": "no-cache"})


def document_services(documents: Documents, settings: ServerSettings) -> list[ServiceEntry]:
    shown = _shown(settings)
    made = []
    for base, what in ((OpenAPI, "openapi"), (Page, "docs")):
        for name in _PATHS:
            service = f"zato.{what}.show-{name}"
            values = {"name": service, "documents": documents, "document_name": name, "shown": shown}
            made.append(ServiceEntry(service, f"{__name__}.{base.__name__}", type(base.__name__, (base,), values)))
    return made


def document_channels(settings: ServerSettings, guard: Callable[[Any], Verifier | None]) -> list[Channel]:
    """
    Return the channels that the settings open, none unless they do.

    Args:
        guard: Returns what lets callers of a channel with these options in.
    """
    security = settings.docs_security if settings.docs_access == CREDENTIALS else ""
    made = []
    for name in _shown(settings):
        for path, what in zip(_PATHS[name], ("openapi", "docs"), strict=True):
            service = f"zato.{what}.show-{name}"
            options = HTTPChannelOptions(url_path=path, service=service, method="GET", data_format="", security=security)
            made.append(compile_channel(service, options, guard(options), security))
    return made


def _shown(settings: ServerSettings) -> tuple[str, ...]:
    if settings.docs_access == OFF:
        return ()
    return (SERVICES, ADMIN) if settings.docs_admin else (SERVICES,)
