"""Case O1: has no channel, is invoked by its name."""

from zato.server.service import Service


class Employee(Service):
    name = "api.employee.get"

    def handle(self):
        self.response.payload = {"Hello": "Employee"}
