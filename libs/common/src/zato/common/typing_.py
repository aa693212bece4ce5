"""
Short names of types, as users' models and services write them: `names: list_[str]`, `note: optional[str]`.

The names are published ones. `dataclasses` can be imported from here too.
"""

# ruff: noqa: UP006, UP007, UP035, UP045 (these are values, and known by what they are)

import typing
from collections.abc import Callable
from dataclasses import *  # noqa: F403
from dataclasses import field
from datetime import date, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from types import ModuleType
from typing import (
    Any,
    BinaryIO,
    Generic,
    Iterable,
    Iterator,
    Literal,
    NamedTuple,
    NewType,
    NoReturn,
    Optional,
    Protocol,
    TextIO,
    TypeAlias,
    TypedDict,
    TypeVar,
    Union,
    cast,
)

# The generic ones of `typing`, not the built-in classes: they take names of classes that come later, list_["Order"].
any_ = Any
binaryio_ = BinaryIO
bool_ = bool
bytesio_ = BytesIO
callable_ = Callable[..., Any]
cast_ = cast
class_ = type
date_ = date
datetime_ = datetime
dict_ = typing.Dict
generator_ = typing.Generator
generic_ = Generic
iterable_ = Iterable
iterator_ = Iterator
list_ = typing.List
literal_ = Literal
module_ = ModuleType
namedtuple_ = NamedTuple
noreturn = NoReturn
optional = Optional
path_ = Path
protocol_ = Protocol
set_ = typing.Set
str_ = str
stringio_ = StringIO
textio_ = TextIO
timedelta_ = timedelta
tuple_: Any = typing.Tuple
type_ = typing.Type
typealias_ = TypeAlias
typed_dict = typeddict_ = TypedDict
typevar_ = TypeVar
union_ = or_ = Union

# A point in time as ISO 8601 text; a model has it as a datetime, in UTC if it does not say where.
isotimestamp = NewType("isotimestamp", str)

anydict = dict_[Any, Any]
anylist = list_[Any]
anyset = set_[Any]
anytuple = typing.Tuple[Any, ...]
strdict = dict_[str, Any]
boollist = list_[bool]
byteslist = list_[bytes]
callist = list_[callable_]
commondict = dict_[str, Union[int, str, bool, float, anydict, anylist, None]]
datelist = list_[date]
dictlist = list_[anydict]
floatdict = dict_[str, float]
floatlist = list_[float]
floatset = set_[float]
intanydict = dict_[int, Any]
intdict = dict_[int, int]
intdictdict = dict_[int, anydict]
intlist = list_[int]
intset = set_[int]
intsetdict = dict_[int, anyset]
intstrdict = dict_[int, str]
pathlist = list_[Path]
stranydict = dict_[str, Any]
strbooldict = dict_[str, bool]
strcalldict = dict_[str, callable_]
strdictdict = dict_[str, anydict]
strdictlist = list_[strdict]
strintdict = dict_[str, int]
strlist = list_[str]
strlistdict = dict_[str, anylist]
strset = set_[str]
strsetdict = dict_[str, anyset]
strstrdict = dict_[str, str]
strtuple = typing.Tuple[str, ...]
strtupledict = dict_[str, anytuple]
tuplist = list_[anytuple]

dictorlist = Union[anydict, anylist]
floatint = Union[int, float]
intfloat = Union[int, float]
listorset = Union[anylist, anyset]
strbool = Union[str, bool]
strbytes = Union[str, bytes]
strcallable = Union[str, callable_]
strdictorlist = Union[str, anydict, anylist]
strfloat = Union[str, float]
strint = Union[str, int]
strintbool = Union[str, int, bool]
strordict = Union[str, anydict]
strorfloat = Union[str, float]
strorlist = Union[str, anylist]

anydictnone = Optional[anydict]
anylistnone = Optional[anylist]
anynone = Optional[Any]
boolnone = Optional[bool]
bytesnone = Optional[bytes]
callnone = Optional[callable_]
datenone = Optional[date]
datetimenone = Optional[datetime]
dictnone = Optional[anydict]
dtnone = Optional[datetime]
floatnone = Optional[float]
intdictnone = Optional[intdict]
intlistnone = Optional[intlist]
intnone = Optional[int]
iteratornone = Optional[iterator_[Any]]
listnone = Optional[anylist]
setnone = Optional[anyset]
stranydictnone = Optional[stranydict]
strdictnone = Optional[strdict]
strintnone = Optional[Union[str, int]]
strlistnone = Optional[strlist]
strnone = Optional[str]
textionone = Optional[TextIO]
tupnone = Optional[anytuple]
intlistempty = list_[intnone]
strlistempty = list_[strnone]


def list_field() -> Any:
    """A field whose default is a new list."""
    return field(default_factory=list)


def dict_field() -> Any:
    return field(default_factory=dict)


def set_field() -> Any:
    return field(default_factory=set)


def from_dict(data_class: type, data: Any) -> Any:
    """Return an instance of a dataclass, made of the values of `data`; see `zato.common.models.Model.from_dict`."""
    from zato.common.conversions import Unfit
    from zato.common.models import plan_of

    try:
        return plan_of(data_class).build(data)
    except Unfit as unfit:
        raise unfit.as_error() from None
