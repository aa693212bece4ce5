"""Case O9: answers pre-flights itself, with headers replaced as a whole."""

from zato.server.service import Service


class ConfiguringCors(Service):
    def handle_OPTIONS(self):
        self.response.headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "*",
            "Access-Control-Allow-Methods": "*",
        }
