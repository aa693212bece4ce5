"""`self.rest`: REST connections without the cid, `self.rest.crm.get({"id": 1})` or `self.rest["My CRM"].get({"id": 1})`."""

import os
import re
from functools import partial
from typing import Any

from zato.common.errors import NotFound
from zato.server.connections.outgoing import ByName

_CALLS = frozenset({"get", "post", "send", "put", "patch", "delete", "options", "head", "upload", "rest_call", "ping"})


class RESTCaller:
    """One connection, with the service's cid in every call."""

    def __init__(self, connection: Any, cid: str) -> None:
        self._connection = connection
        self._cid = cid

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._connection, name)
        return partial(self._call, attribute) if name in _CALLS else attribute

    def _call(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        # Services that were written for `self.out.rest` go on passing it.
        rest = args[1:] if args and args[0] == self._cid else args
        return method(self._cid, *rest, **kwargs)


class RESTFacade:
    def __init__(self, connections: ByName, cid: str) -> None:
        self._connections = connections
        self._cid = cid

    def __getitem__(self, name: str) -> RESTCaller:
        """`name` may be "$VARIABLE": then the environment says which connection it is. Raises NotFound."""
        if name.startswith("$"):
            variable = name[1:]
            if variable not in os.environ:
                raise NotFound(f"There is no connection '{name}': the environment has no such variable", name=name)
            name = os.environ[variable]
        return RESTCaller(self._connections[name], self._cid)

    def __getattr__(self, name: str) -> RESTCaller:
        """A name that is no identifier is found by one in which `_` stands for all else, in any case of letters."""
        if name in self._connections:
            return self[name]
        similar = [each for each in self._connections if re.sub(r"\W", "_", each).lower() == name.lower()]
        if len(similar) != 1:
            raise AttributeError(f"There is no connection '{name}' (outgoing-http): check the name, or create it")
        return self[similar[0]]
