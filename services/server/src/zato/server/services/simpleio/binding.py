"""A service's declaration, bound to its class when it is deployed: what the invoker calls before and after `handle`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zato.server.services.simpleio.declaration import read_declaration
from zato.server.services.simpleio.output import make_output_maker
from zato.server.services.simpleio.parsing import make_input_parser
from zato.server.services.simpleio.payload import OutputPayload

if TYPE_CHECKING:
    from zato.server.service import Service

_Step = Callable[["Service"], None]


@dataclass(frozen=True, slots=True)
class ServiceIO:
    """
    Args:
        before_handle: Gives the service its input. Raises BadRequest when that is not what the class declares.
        after_handle: Makes the response what is sent. Raises SerialisationError when that is not what the class declares.
    """

    before_handle: _Step
    after_handle: _Step


def bind(cls: "type[Service]", base: type) -> ServiceIO | None:
    """
    Return what runs before and after the class's handler, None when the class declares nothing.

    Args:
        base: The class that all services derive from.

    Raises:
        DeclarationError: The declaration makes no sense.
    """
    declared = read_declaration(cls, base)
    if declared is None or not (declared.input or declared.output):
        return None
    parse_input, make_output = make_input_parser(declared), make_output_maker(declared)

    def before_handle(service: "Service") -> None:
        if make_output is not None:
            service.response.payload = OutputPayload()
        if parse_input is not None:
            service.request.input = parse_input(service)

    return ServiceIO(before_handle, make_output or _nothing)


def _nothing(_service: "Service") -> None:
    pass
