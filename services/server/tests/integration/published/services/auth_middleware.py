"""Case O9: asks a back end whether a token is good."""

from zato.server.service import Service


class AuthMiddleware(Service):
    class SimpleIO:
        input_required = "accessToken"

    def handle(self):
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + self.request.input["accessToken"]}
        answer = self.outgoing.plain_http["Auth User By AccessToken"].conn.get(self.cid, {}, headers=headers)
        self.response.status_code = answer.status_code
        if answer.status_code == 200:
            self.response.payload = {"auth": True, "userId": answer.json()["userId"]}
        else:
            self.response.payload = {"auth": False, "message": "Unauthorized"}
