"""Services that answer with pages. Published services import HTMLService from `zato.server.service.internal.helpers`."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from zato.server.connections.extras import need
from zato.server.service import Service


class HTMLService(Service):
    """
    The base of services that make HTML:

        class Page(HTMLService):
            def handle(self):
                self.set_html_payload({"name": "Jane"}, "<h1>{{ name }}</h1>")
    """

    def set_html_payload(self, ctx: Mapping[str, Any], template: str, content_type: str = "text/html; charset=utf-8") -> None:
        """
        Answer with a page.

        Args:
            ctx: The values that the template names; those that are no safe HTML are escaped.
            template: In the language of Django's templates.

        Raises:
            Unavailable: Django is not installed; says how to install it.
        """
        self.response.payload = _template(template).render(_context(dict(ctx)))
        self.response.content_type = content_type


def _context(values: dict[str, Any]) -> Any:
    return need("django.template", "html").Context(values)


@cache
def _engine() -> Any:
    # Of all that Django has only templates are used, which ask its settings how numbers and dates look.
    settings = need("django.conf", "html").settings
    if not settings.configured:
        settings.configure(USE_I18N=False, USE_TZ=True, TIME_ZONE="UTC")
    return need("django.template", "html").Engine()


def _template(source: str) -> Any:
    return _engine().from_string(source)
