"""Case O3: two back ends called the way of 2.0, a list in Redis, the service's name made of file and class."""

import json

from zato.server.service import Service


class GetClientDetails(Service):
    class SimpleIO:
        input_required = ("cust_id", "cust_type")
        output_required = ("first_name", "last_name", "last_payment_date", "last_payment_amount")

    def ask(self, connection_name):
        answer = self.outgoing.plain_http.get(connection_name).conn.send(json.dumps(self.request.input))
        return json.loads(answer.text)

    def handle(self):
        client, payment = self.ask("CRM"), self.ask("Payments")
        if self.request.payload["cust_type"] in self.kvdb.conn.lrange("myapp:fraud-detection:cust-type", 0, -1):
            self.outgoing.zmq.send(json.dumps(client), "Fraud detection")
        self.response.payload = {
            "first_name": client["firstName"],
            "last_name": client["lastName"],
            "last_payment_date": payment["DATE"],
            "last_payment_amount": payment["AMOUNT"],
        }
