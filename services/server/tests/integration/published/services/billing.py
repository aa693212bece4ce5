"""Case O1: secured by HTTP Basic Auth."""

from zato.server.service import Service


class Billing(Service):
    name = "api.billing.get"

    def handle(self):
        self.logger.info("%s was called", self.name)
        self.response.payload = {"Hello": "Billing"}
