"""The customers' database: made, with a few customers, when it is first opened."""

CONNECTION = "customers"

_TABLE = "CREATE TABLE IF NOT EXISTS customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance_eur NUMERIC NOT NULL)"
_FIRST = (
    {"id": 1, "name": "Ada Lovelace", "balance_eur": 1815.12},
    {"id": 2, "name": "Zofia Kielan-Jaworowska", "balance_eur": 1925.04},
    {"id": 3, "name": "Hedy Lamarr", "balance_eur": 1914.11},
)


def open_session(service):
    """Return a session of the SQL connection; close it after use, with `closing`."""
    session = service.out.sql.get(CONNECTION).session()
    session.execute(_TABLE)
    for customer in _FIRST:
        session.execute("INSERT INTO customer VALUES (:id, :name, :balance_eur) ON CONFLICT (id) DO NOTHING", customer)
    session.commit()
    return session
