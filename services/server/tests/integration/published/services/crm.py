"""Case O2: input and output declared on the class itself, without SimpleIO."""

from zato.server.service import Service


class CustomerOfCRM(Service):
    name = "crm.customer.get"

    input = "customer_id"
    output = "name", "email"

    def handle(self):
        answer = self.out.rest["crm.api"].conn.get(self.cid, {"id": self.request.input.customer_id})
        self.response.payload.name = answer.data["name"]
        self.response.payload.email = answer.data["email"]
