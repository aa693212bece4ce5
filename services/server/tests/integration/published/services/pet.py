"""Case O5: many services with a base class of their own, SQLite, own status codes and content type."""

import json
import os
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs

from zato.server.service import Model, Service

COLUMNS = "id, name, status, category_id, category_name, photo_urls, tags"


class Category(Model):
    """Never used as input; that it can be imported and subclassed is what counts."""


class PetService(Service):
    """No handler, so no service."""

    def connect(self):
        connection = sqlite3.connect(os.environ["PETSTORE_DB"])
        connection.row_factory = sqlite3.Row
        return connection

    def answer(self, body, status=200):
        self.response.status_code = status
        self.response.content_type = "application/json"
        self.response.payload = json.dumps(body)

    def answer_error(self, status, message):
        meta = {"is_ok": False, "cid": self.cid, "timestamp": self.time.utcnow()}
        self.answer({"error": {"code": status, "message": message}, "meta": meta}, status)

    def pet_id(self):
        return int(self.request.http.path.rstrip("/").rpartition("/")[2])

    def body(self):
        return json.loads(self.request.raw_request)

    def save(self, pet):
        category = pet.get("category") or {}
        photos, tags = json.dumps(pet.get("photoUrls", [])), json.dumps(pet.get("tags", []))
        with closing(self.connect()) as connection, connection:
            connection.execute(
                f"INSERT OR REPLACE INTO pets ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (pet["id"], pet["name"], pet.get("status"), category.get("id"), category.get("name"), photos, tags),
            )

    def load(self, condition, *values):
        with closing(self.connect()) as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM pets WHERE {condition} ORDER BY id", values).fetchall()
        return [
            {
                "id": row["id"],
                "name": row["name"],
                "status": row["status"],
                "category": {"id": row["category_id"], "name": row["category_name"]},
                "photoUrls": json.loads(row["photo_urls"]),
                "tags": json.loads(row["tags"]),
            }
            for row in rows
        ]


class FindByStatus(PetService):
    name = "petstore.pet.find-by-status"

    def handle(self):
        query = parse_qs(self.wsgi_environ.get("QUERY_STRING", ""))
        self.answer(self.load("status = ?", query["status"][0]))


class GetById(PetService):
    name = "petstore.pet.get-by-id"

    def handle(self):
        try:
            pets = self.load("id = ?", self.pet_id())
        except ValueError:
            return self.answer_error(400, "Invalid pet ID")
        return self.answer(pets[0]) if pets else self.answer_error(404, "Pet not found")


class Add(PetService):
    name = "petstore.pet.add"

    def handle(self):
        try:
            pet = self.body()
        except ValueError:
            return self.answer_error(400, "Invalid JSON body")
        if not pet.get("name"):
            return self.answer_error(400, "name is required")
        self.save(pet)
        return self.answer(pet)


class Update(PetService):
    name = "petstore.pet.update"

    def handle(self):
        pet = self.body()
        self.save(pet)
        self.answer(pet)


class Delete(PetService):
    name = "petstore.pet.delete"

    def handle(self):
        pet_id = self.pet_id()
        with closing(self.connect()) as connection, connection:
            connection.execute("DELETE FROM pets WHERE id = ?", (pet_id,))
        self.answer({"data": {"code": 200, "message": f"Pet {pet_id} deleted"}})
