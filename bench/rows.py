"""What is measured: requests, with the answers that they have to get."""

import json
from dataclasses import dataclass, field
from typing import Any

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
SOAP = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "bench"}

# About 200 bytes, 10 kB and 1 MB.
ORDER = {"order_id": 12345, "customer": "Zofia Kielan-Jaworowska", "currency": "PLN", "amount": 1815.12, "note": "x" * 80}
ORDERS = {"orders": [{**ORDER, "order_id": number, "lines": [1, 2, 3, 4]} for number in range(50)]}
MANY_ORDERS = {"orders": ORDERS["orders"] * 100}


@dataclass(frozen=True, eq=False)
class Row:
    """
    One request, sent again and again.

    Args:
        name: As in the report, e.g. "simple-io".
        path: Where our server and, under the same path, its rivals answer it.
        contains: What the body of a right answer holds.
        max_connections: More than these are not measured: a megabyte for each of 256 clients takes longer than a measurement.
        login: Path and JSON body that give a bearer token first; None when none is wanted.
    """

    name: str
    path: str
    body: bytes
    contains: bytes
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    max_connections: int = 256
    login: tuple[str, dict[str, Any]] | None = None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


ROWS = (
    Row("plain", "/plain", _json(ORDER), b'"order_id"'),
    Row("json-10k", "/plain", _json(ORDERS), b'"orders"'),
    Row("json-1m", "/plain", _json(MANY_ORDERS), b'"orders"', max_connections=16),
    Row("simple-io", "/simple-io", _json(ORDER), b'"total"'),
    Row("model", "/model", _json(ORDERS), b'"count"'),
    Row("xml", "/xml", b"<request><order_id>12345</order_id><amount>1815.12</amount></request>", b"12345", XML),
    Row(
        "soap",
        "/soap",
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><request><order_id>12345</order_id>'
        b"<amount>1815.12</amount></request></s:Body></s:Envelope>",
        b"12345",
        SOAP,
    ),
    Row("basic-auth", "/basic-auth", _json(ORDER), b'"order_id"', {**JSON, "Authorization": "Basic YmVuY2g6YmVuY2g="}),
    Row("api-key", "/api-key", _json(ORDER), b'"order_id"', {**JSON, "X-API-Key": "bench-key"}),
    Row("full", "/full", _json(ORDER), b'"total"', {**JSON, "X-API-Key": "bench-key"}),
    Row("jwt", "/jwt", _json(ORDER), b'"order_id"', login=("/zato/jwt/log-in", {"username": "bench", "password": "bench"})),
    Row("invoke-100", "/invoke-100", b"{}", b'"count"'),
)
