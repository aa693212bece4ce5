"""Currency rates over HTTP: the latest ones, a conversion, and the history of a pair."""

from datetime import date
from decimal import Decimal, InvalidOperation

from ecb_rates import EURO, UnknownRate, load_rates

from zato.common.errors import BadRequest, NotFound
from zato.server.service import Service


class Latest(Service):
    """GET /currency/latest?base=USD"""

    name = "currency.latest"

    def handle(self):
        base = self.request.input.get("base", EURO).upper()
        rates = load_rates()
        index = rates.last_day(None)
        found = {}
        for currency in rates.currencies:
            try:
                found[currency] = round(rates.between(base, currency, index), 6)
            except UnknownRate as exc:
                if base not in rates.currencies:
                    raise NotFound(str(exc)) from exc
        self.response.payload = {"base": base, "date": rates.days[index], "rates": found}


class Convert(Service):
    """GET /currency/convert?amount=100&from=USD&to=JPY&date=2020-03-02"""

    name = "currency.convert"

    def handle(self):
        given = self.request.input
        source, target = given.get("from", EURO).upper(), given.get("to", EURO).upper()
        amount = as_amount(given.get("amount", "1"))
        rates = load_rates()
        try:
            index = rates.last_day(as_date(given, "date"))
            rate = rates.between(source, target, index)
        except UnknownRate as exc:
            raise NotFound(str(exc)) from exc
        self.response.payload = {
            "amount": float(amount),
            "from": source,
            "to": target,
            "date": rates.days[index],
            "rate": round(rate, 6),
            "result": round(float(amount) * rate, 2),
        }


class History(Service):
    """GET /currency/history/USD/JPY?start=2020-01-01&end=2020-01-31"""

    name = "currency.history"

    def handle(self):
        given = self.request.input
        base, quote = given.base.upper(), given.quote.upper()
        rates = load_rates()
        try:
            first, last = rates.last_day(as_date(given, "start")), rates.last_day(as_date(given, "end"))
            if last - first > 366:
                raise BadRequest("A history has at most 366 bank days: ask for a shorter time")
            points = [
                {"date": rates.days[day], "rate": round(rates.between(base, quote, day), 6)} for day in range(first, last + 1)
            ]
        except UnknownRate as exc:
            raise NotFound(str(exc)) from exc
        self.response.payload = {"base": base, "quote": quote, "points": points}


def as_amount(text):
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        raise BadRequest(f"'amount' takes a number, not '{text}'") from None
    if not amount.is_finite() or abs(amount) > 10**15:
        raise BadRequest(f"'amount' takes a number of ordinary size, not '{text}'")
    return amount


def as_date(given, name):
    """Return a date, or None for the latest, when nothing was given."""
    text = given.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRequest(f"'{name}' takes a date such as 2020-03-02, not '{text}'") from None
