"""Case O8: a base class with helpers, SQLite at a fixed path, text that is no ASCII."""

import os
import sqlite3
from contextlib import closing

from zato.server.service import Service

DATABASE = os.environ["ZATO_TEST_SENSORS_DB"]


class SensorService(Service):
    """No handler, so no service."""

    def find(self, condition, values, limit):
        if not os.path.exists(DATABASE):
            raise ValueError(f"Banco de dados não encontrado em {DATABASE}")
        with closing(sqlite3.connect(DATABASE)) as connection:
            connection.row_factory = sqlite3.Row
            query = f"SELECT * FROM sensor_data WHERE {condition} ORDER BY start_datetime DESC LIMIT ?"
            return [dict(row) for row in connection.execute(query, (*values, limit))]

    def ids(self):
        return self.request.payload.get("device_id"), self.request.payload.get("sensor_id")

    def answer_first(self, condition, values):
        try:
            found = self.find(condition, values, 1)
            self.response.payload = {"data": found[0] if found else None}
        except Exception as exc:
            self.response.payload = {"error": str(exc)}
            self.response.status_code = 500


class GetLastData(SensorService):
    name = "soft-iot.api.get-last-data"

    def handle(self):
        self.answer_first("device_id = ? AND sensor_id = ?", self.ids())


class GetHistory(SensorService):
    name = "soft-iot.api.get-history"

    def handle(self):
        if not all(self.ids()):
            self.response.payload = {"error": "device_id and sensor_id are required"}
            self.response.status_code = 400
            return
        values = (*self.ids(), self.request.payload.get("start_date", ""))
        condition = "device_id = ? AND sensor_id = ? AND start_datetime >= ?"
        found = self.find(condition, values, self.request.payload.get("limit", 100))
        self.response.payload = {"count": len(found), "data": found}


class GetAggregated(SensorService):
    name = "soft-iot.api.get-sensor-aggregated-data"

    def handle(self):
        self.answer_first("device_id = ? AND sensor_id = ? AND aggregation_status = 1", self.ids())
