"""Case O4: answers POST alone, parses its own payload, and passes the client's headers on."""

import json

from zato.server.service import Service


class Login(Service):
    @property
    def client_headers(self):
        environ = self.request.http._wsgi_environ
        return {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith("HTTP_ACCEPT")}

    def translated(self, text):
        conn = self.outgoing.plain_http.get("Translate").conn
        return conn.post(self.cid, {"text": text}, headers=self.client_headers).content.decode("utf8")

    def handle_POST(self):
        answer = self.outgoing.plain_http.get("Login").conn.post(self.cid, json.loads(self.request.payload))
        if answer.ok:
            event = "Login Successful"
            body = {"status": self.translated(event), "token": answer.json()["token"]}
            self.outgoing.plain_http.get("Events").conn.post(self.cid, json.dumps({"event": event}))
        else:
            body = {"status": self.translated("Login failed")}
            self.response.status_code = answer.status_code
        self.response.payload = json.dumps(body)
