"""
The elements that SimpleIO is declared with: `input_required = ("name", Int("age"), Date("born_on", default=None))`.

Each knows how its values arrive and how they leave.
"""

from zato.server.services.simpleio.containers import CSV, Dict, DictList, List
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.scalars import (
    UTC,
    UUID,
    AsIs,
    Bool,
    Date,
    DateTime,
    Decimal,
    Float,
    Int,
    Opaque,
    Secret,
    Text,
)

# The names of the earlier generation.
Boolean = Bool
Integer = Int
ListOfDicts = DictList
Nested = Opaque
Unicode = Text

__all__ = [
    "AsIs",
    "Bool",
    "Boolean",
    "CSV",
    "Date",
    "DateTime",
    "Decimal",
    "Dict",
    "DictList",
    "Float",
    "ForceType",
    "Int",
    "Integer",
    "List",
    "ListOfDicts",
    "Nested",
    "Opaque",
    "Secret",
    "Text",
    "Unicode",
    "UTC",
    "UUID",
]
