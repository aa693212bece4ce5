"""What another system answered to a call."""

import http.client
import json
from collections.abc import Mapping
from email.message import Message
from typing import Any

import msgspec

from zato.common.errors import ZatoError


class NotJSON(ZatoError, ValueError):
    """An answer that should be JSON is not."""


class BadAnswer(ZatoError):
    """An answer with a status of 400 and above, where the service asked for an error in that case."""

    def __init__(self, message: str, /, status_code: int | str = 0, **attributes: object) -> None:
        super().__init__(message, status_code=status_code, **attributes)
        self.status_code = int(status_code)


class Answer:
    """
    What the other side answered. A status of 400 and above is an answer too: look at `ok` or `status_code`.

    Attributes:
        headers: By name, in any case.
        content: The body, its compression undone.
        data: The body parsed where the connection or the answer says JSON, else its text.
    """

    def __init__(self, name: str, status_code: int, headers: Mapping[str, str], content: bytes, data_format: str) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content
        self._name = name
        self._content_type = headers.get("content-type", "")
        self._is_json = data_format == "json" or "json" in self._content_type

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    @property
    def reason(self) -> str:
        """What the status means, e.g. "Not Found"."""
        return http.client.responses.get(self.status_code, "")

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Answer {self.status_code} of '{self._name}', {len(self.content)} bytes>"

    @property
    def encoding(self) -> str:
        """The charset that the answer names, UTF-8 when it names none."""
        header = Message()
        header["content-type"] = self._content_type
        return header.get_content_charset() or "utf-8"

    @property
    def text(self) -> str:
        try:
            return self.content.decode(self.encoding, errors="replace")
        except LookupError:
            return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Raises NotJSON, a ValueError. What others write beside the standard, NaN for one, is read."""
        try:
            return msgspec.json.decode(self.content)
        except ValueError:
            pass
        except RecursionError:
            raise self._not_json() from None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise self._not_json() from None

    @property
    def data(self) -> Any:
        if "_data" not in self.__dict__:
            self._data = self._parse()
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value

    def raise_for_status(self) -> None:
        """Raises BadAnswer for a status of 400 and above."""
        if not self.ok:
            raise BadAnswer(f"Connection '{self._name}' was answered with the status {self.status_code}", self.status_code)

    def _parse(self) -> Any:
        if not (self._is_json and self.content):
            return self.text
        try:
            return self.json()
        except NotJSON:
            # What answers in the place of an API that is down, a proxy, does not know that API's format.
            if self.ok:
                raise
            return self.text

    def _not_json(self) -> NotJSON:
        return NotJSON(f"Connection '{self._name}' was answered with a body that is not JSON")
