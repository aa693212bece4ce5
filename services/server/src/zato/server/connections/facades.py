"""What a service has of connections beside `self.out`."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zato.server.connections.http.facade import RESTFacade
    from zato.server.connections.outgoing import Group, Outgoing


class ConnectionFacades:
    """A base of Service. Made when first used: most services use none of them."""

    if TYPE_CHECKING:
        cid: str
        outgoing: Outgoing

    @cached_property
    def rest(self) -> "RESTFacade":
        """REST connections without the cid: `self.rest["My CRM"].get({"id": 1})`, `self.rest.my_crm.get({"id": 1})`."""
        from zato.server.connections.http.facade import RESTFacade

        return RESTFacade(self.outgoing.rest, self.cid)

    @cached_property
    def email(self) -> "Group":
        """Connections to mail servers: `self.email.smtp.get("name").conn`, `self.email.imap.get("name").conn`."""
        return self.outgoing.email
