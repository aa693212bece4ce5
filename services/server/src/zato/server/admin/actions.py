"""
What an admin service is: what it does, the role that it asks for, and what it takes and answers. Each is declared once, where
its code is, and checks, OpenAPI and the reference are made from that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zato.common.options import declared_options
from zato.server.accounts.roles import Role
from zato.server.admin.pages import listed, listed_schema, listed_takes
from zato.server.control.changes import Author
from zato.server.describe.kinds import ActionDescription
from zato.server.describe.schemas import Schema, option_schema, record

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

Values = Mapping[str, Any]
# Takes the parts of the server, the input and who calls; returns the output.
Run = Callable[["Admin", Values, Author], Any]

TAKES_NOTHING: Schema = record({})


@dataclass(frozen=True, slots=True)
class Action:
    """
    Args:
        role: The least that may do it. Of one's own account anybody may, whatever the role: that is the least one.
        describe: Returns what it takes and answers. Made when somebody asks: there are many, and few read them.
        alias_of: The services that this is a published name of; none of one of its own.
        changes: Whether it changes the configuration: see `zato.server.admin.waiting`.
    """

    run: Run
    role: Role
    describe: Callable[[], ActionDescription]
    alias_of: tuple[str, ...] = ()
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """Admin services that are about one thing, which `tag` names for people."""

    tag: str

    def action(self, run: Run, role: Role, help: str, *, takes: Schema = TAKES_NOTHING, returns: Schema) -> Action:
        """
        Args:
            help: One sentence, without its full stop.
            takes: JSON Schema of the input, an object.
            returns: JSON Schema of the output.
        """
        described = ActionDescription(help, takes, returns, self.tag)
        return Action(run, role, lambda: described)

    def listing(self, run: Run, role: Role, help: str, *, takes: Schema = TAKES_NOTHING, item: Schema) -> Action:
        """
        Return the action of a list: `run` returns all there is, and who calls may search it, sort it and ask for a page.

        Args:
            item: JSON Schema of what the list has, an object.
        """

        def run_listed(admin: "Admin", values: Values, author: Author) -> Any:
            return listed(run(admin, values, author), values)

        text = f"{help}: all of them, or a page for those who ask for one"
        return self.action(run_listed, role, text, takes=listed_takes(item, takes), returns=listed_schema(item))


def options_schema(cls: type, more: Mapping[str, Schema] = MappingProxyType({})) -> Schema:
    """Return the schema of an input that is read with a class of `@options`."""
    required = {each.name for each in declared_options(cls) if each.is_required}
    given = {**options_of(cls), **more}
    return record(given, optional=given.keys() - required)


def options_of(cls: type) -> dict[str, Schema]:
    """Return the schemas of what a class of `@options` declares, by name."""
    return {each.name: option_schema(each) for each in declared_options(cls)}
