"""`zato.common.typing_`: short names of types, as users' models and services write them, e.g. `names: list_[str]`."""

from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, Optional, TypedDict, Union, cast

any_ = Any
anylist = list[Any]
anydict = dict[Any, Any]
bool_ = bool
boolnone = Optional[bool]  # noqa: UP045 (these are values)
callable_ = Callable[..., Any]
callnone = Optional[Callable[..., Any]]  # noqa: UP045
cast_ = cast
dict_ = dict
dictlist = list[dict[str, Any]]
dictnone = Optional[dict[str, Any]]  # noqa: UP045
floatnone = Optional[float]  # noqa: UP045
generator_ = Generator
intlist = list[int]
intnone = Optional[int]  # noqa: UP045
iterator_ = Iterator
list_ = list
listnone = Optional[list[Any]]  # noqa: UP045
namedtuple_ = NamedTuple
optional = Optional
set_ = set
strbytes = Union[str, bytes]  # noqa: UP007
stranydict = dict[str, Any]
strdict = dict[str, Any]
strlist = list[str]
strnone = Optional[str]  # noqa: UP045
strstrdict = dict[str, str]
tuple_: Any = tuple
type_ = type
typeddict_ = TypedDict
union_ = Union
