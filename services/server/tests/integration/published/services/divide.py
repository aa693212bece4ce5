"""Case O7: SimpleIO's names in sets."""

from zato.server.service import Service


class Divide(Service):
    class SimpleIO:
        input_required = {"op1", "op2"}
        output_required = {"result"}

    def handle(self):
        try:
            self.response.payload.result = int(self.request.input.op1) / int(self.request.input.op2)
        except ZeroDivisionError:
            self.response.payload.result = "Error"
