"""What one asks two others for: a customer, and what the balance is in another currency."""

from zato.common.errors import NotFound
from zato.server.service import Service


class Overview(Service):
    """GET /overview/1?currency=JPY"""

    name = "overview"

    def handle(self):
        currency = self.request.input.get("currency", "USD")
        # A service of this server, by its name: no network, and its errors are ours.
        customer = self.invoke("customers.get", {"customer_id": self.request.input.customer_id})
        # Another system's REST API, here our own behind the load-balancer. The cid goes along and finds both in the log.
        answer = self.out.rest["currency"].conn.get(
            self.cid, {"amount": customer["balance_eur"], "from": "EUR", "to": currency}
        )
        if answer.status_code == 404:
            raise NotFound(answer.data["details"])
        self.response.payload = {"customer": customer["name"], "balance": answer.data["result"], "currency": answer.data["to"]}
