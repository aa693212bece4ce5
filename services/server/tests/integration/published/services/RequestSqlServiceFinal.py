"""Case O6: SQL as text through an outgoing connection, rows as dicts."""

from contextlib import closing

from zato.server.service import Service


class RequestSQL(Service):
    name = "Request.Sql.Service.Final"

    class SimpleIO:
        input_required = ("query", "out_name", "operation")
        input_optional = ("table_name", "step")
        output_optional = ("result", "status_code", "status_reason")

    def run(self, query, operation):
        with closing(self.outgoing.sql.get(self.request.input.out_name).session()) as session:
            found = session.execute(query)
            if operation == "select":
                return [{key: value for key, value in row.items()} for row in found]  # noqa: C416 (as published ones do)
            session.commit()
            return []

    def handle(self):
        client = self.wsgi_environ.get("HTTP_X_FORWARDED_FOR", None)
        self.logger.info("%s asks for %s, step %r", client, self.request.input.operation, self.request.input.step)
        operation = self.request.input.operation.lower()
        result, code, reason = [], "200", "operation success"
        if operation in ("select", "insert", "update", "delete"):
            try:
                result = self.run(self.request.input.query, operation)
            except Exception as exc:
                code, reason = "500", f"Connexion Error: {exc}"
        else:
            code, reason = "400", "bad operation"
        self.response.payload = {"result": result, "status_code": code, "status_reason": reason}
        self.log_output(self.name)
