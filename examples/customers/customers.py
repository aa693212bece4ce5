"""Customers in an SQL database."""

from contextlib import closing

from customer_db import open_session

from zato.common.errors import BadRequest, NotFound
from zato.server.service import Service


class Customers(Service):
    """GET /customers lists all of them, POST /customers adds one. Other methods get 405 by themselves."""

    name = "customers"

    def handle_GET(self):
        with closing(open_session(self)) as session:
            rows = session.execute("SELECT id, name, balance_eur FROM customer ORDER BY id")
            self.response.payload = [dict(row._mapping) for row in rows]

    def handle_POST(self):
        name, balance = self.request.input.get("name"), self.request.input.get("balance_eur", 0)
        if not isinstance(name, str) or not name.strip() or isinstance(balance, bool) or not isinstance(balance, int | float):
            raise BadRequest("A customer takes a 'name', a text, and may have a 'balance_eur', a number")
        with closing(open_session(self)) as session:
            insert = "INSERT INTO customer (name, balance_eur) VALUES (:name, :balance_eur) RETURNING id"
            customer_id = session.execute(insert, {"name": name, "balance_eur": balance}).scalar_one()
            session.commit()
        self.response.status_code = 201
        self.response.headers["Location"] = f"/customers/{customer_id}"
        self.response.payload = {"id": customer_id, "name": name, "balance_eur": balance}


class GetCustomer(Service):
    """GET /customers/1"""

    name = "customers.get"

    def handle(self):
        customer_id = str(self.request.input.customer_id)
        if not customer_id.isdecimal() or len(customer_id) > 18:
            raise BadRequest(f"A customer's id is a number, not '{customer_id:.40}'")
        with closing(open_session(self)) as session:
            query = "SELECT id, name, balance_eur FROM customer WHERE id = :id"
            row = session.execute(query, {"id": int(customer_id)}).one_or_none()
        if row is None:
            raise NotFound(f"There is no customer {customer_id}")
        self.response.payload = dict(row._mapping)
