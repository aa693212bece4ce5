"""JSON Schemas of services: `schema = "customer.json"` on the class. Compiled when the service is deployed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from zato.common.errors import BadRequest

Check = Callable[[Any], None]


class BadSchema(Exception):
    """The text is for the service's author."""


class Schemas:
    """
    Args:
        folder: Relative names of schemas are below it; None when the server has no such folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def compile(self, schema: Any) -> Check | None:
        """
        Return what checks an input, None where there is nothing to check.

        Args:
            schema: A file's name, absolute or below the folder, or the schema itself as a dictionary.

        Raises:
            BadSchema: There is no such file, or it is no JSON Schema.
        """
        # Services of 2.0, which knew no schemas, may call something else that.
        if not schema or not isinstance(schema, str | Path | Mapping):
            return None
        # Few services have one.
        import fastjsonschema

        definition = dict(schema) if isinstance(schema, Mapping) else self._read(str(schema))
        try:
            # No schema may make the server fetch something, or read a file of somebody's choice.
            handlers = dict.fromkeys(("", "http", "https", "ftp", "file"), _refuse_reference)
            validate = fastjsonschema.compile(definition, handlers=handlers, use_default=False)
        except (fastjsonschema.JsonSchemaDefinitionException, ValueError, TypeError, AttributeError, KeyError) as exc:
            raise BadSchema(f"the schema {schema!r:.200} is no JSON Schema: {exc}") from exc
        return _checker(validate, fastjsonschema.JsonSchemaValueException)

    def _read(self, name: str) -> Any:
        path = Path(name)
        if not path.is_absolute():
            if self._folder is None:
                raise BadSchema(f"there is no folder for schemas here to find '{name}' in")
            path = self._folder / name
        try:
            return json.loads(path.read_bytes())
        except OSError as exc:
            raise BadSchema(f"the schema {path} cannot be read: {exc.strerror}") from exc
        except ValueError as exc:
            raise BadSchema(f"the schema {path} is not JSON: {exc}") from exc


def _checker(validate: Callable[[Any], Any], refusal: Any) -> Check:
    def check(payload: Any) -> None:
        try:
            validate(payload)
        except refusal as exc:
            # The library calls the input "data".
            raise BadRequest(f"The input does not fit the service's schema: {exc.message}") from exc

    return check


def _refuse_reference(uri: str) -> NoReturn:
    raise BadSchema(f"it refers to '{uri}', outside itself: put all definitions into the one file")
