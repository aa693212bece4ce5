"""Which channel a request is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from zato.common.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from zato.server.http.channel import ENCODED_SLASH, Channel

# All but NUL, which is refused before and stands for an encoded slash here.
_CONTROL = re.compile(r"[\x01-\x1f\x7f-\x9f]")
_QUALITY = re.compile(r"0(\.\d*)?|1(\.0*)?", re.ASCII)
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


class Router:
    """
    Finds channels by path, method and Accept. A fixed path wins over one with parameters, then the one with more
    fixed characters; on one path, the channel for the very method wins over one for all; between equals the name decides.
    """

    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        self._static: dict[str, list[Channel]] = {}
        patterns: list[Channel] = []
        for channel in sorted(channels, key=lambda each: each.name):
            if channel.pattern is None:
                self._static.setdefault(channel.options.url_path, []).append(channel)
            else:
                patterns.append(channel)
        self._patterns = sorted(patterns, key=lambda each: -each.literal_length)

    def find(self, method: str, path: str, accept: str) -> tuple[Channel, Mapping[str, str]]:
        """
        Return the channel and the parameters of the path.

        Args:
            path: As it was sent, percent-encoded.

        Raises:
            BadRequest: The path can't be decoded.
            NotFound: No channel has this path.
            MethodNotAllowed: There are channels, but not for this method.
            NotAcceptable: There are channels, but none answers with what the client accepts.
        """
        decoded = decode_path(path)
        static = self._static.get(decoded)
        if static is not None:
            return _choose([(channel, {}) for channel in static], method, accept)
        return _choose(self._matching(decoded), method, accept)

    def _matching(self, path: str) -> list[tuple[Channel, Mapping[str, str]]]:
        found: list[tuple[Channel, Mapping[str, str]]] = []
        length = -1
        for channel in self._patterns:
            if found and channel.literal_length < length:
                break
            match = channel.pattern.fullmatch(path) if channel.pattern is not None else None
            if match is not None:
                length = channel.literal_length
                found.append((channel, {name: value.replace(ENCODED_SLASH, "/") for name, value in match.groupdict().items()}))
        return found


def decode_path(path: str) -> str:
    """
    Return the path with its percent-encoding undone, except that of slashes, which become `ENCODED_SLASH`.

    Raises:
        BadRequest: An escape is broken, a character is not UTF-8 or a control one, or a segment is "." or "..",
            which clients resolve and which otherwise serve to get past checks of a path's beginning.
    """
    if "%" not in path:
        decoded = path
        if not path.isascii():
            raise BadRequest("The path has characters that have to be percent-encoded")
    else:
        decoded = "/".join(_decode_segment(segment) for segment in path.split("/"))
    if "/." in decoded and not {".", ".."}.isdisjoint(decoded.split("/")):
        raise BadRequest("The path has '.' or '..' as a segment: send the path that is meant")
    if _CONTROL.search(decoded):
        raise BadRequest("The path has control characters, which are not accepted")
    return decoded


def _decode_segment(segment: str) -> str:
    for escape in segment.split("%")[1:]:
        if len(escape) < 2 or not _HEXADECIMAL.issuperset(escape[:2]):
            raise BadRequest("The path has a broken escape: '%' is followed by two hexadecimal digits")
    if "%00" in segment:
        raise BadRequest("The path has a NUL character, which is not accepted")
    try:
        decoded = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("The path has percent-encoded bytes that are not UTF-8") from None
    return decoded.replace("/", ENCODED_SLASH)


def _choose(
    candidates: Sequence[tuple[Channel, Mapping[str, str]]], method: str, accept: str
) -> tuple[Channel, Mapping[str, str]]:
    if not candidates:
        raise NotFound("There is nothing at this path: check the address")
    allowed = [each for each in candidates if _allows(each[0], method)]
    if not allowed:
        raise MethodNotAllowed(f"Method {method} is not allowed here", allow=_allow_header(candidates))
    if len(allowed) == 1 and allowed[0][0].media_type == ("*", "*"):
        return allowed[0]
    ranked = [((quality_of(accept, each[0].media_type), _closeness(each[0], method)), each) for each in allowed]
    (quality, _), chosen = max(ranked, key=lambda each: each[0])
    if quality <= 0:
        types = ", ".join(sorted(each[0].options.http_accept for each in allowed))
        raise NotAcceptable(f"The answer comes as {types}: accept one of these")
    return chosen


def _allows(channel: Channel, method: str) -> bool:
    own = channel.options.method
    return not own or own == method or (own == "GET" and method == "HEAD")


def _closeness(channel: Channel, method: str) -> int:
    own = channel.options.method
    return 2 if own == method else 1 if own else 0


def _allow_header(candidates: Sequence[tuple[Channel, Mapping[str, str]]]) -> str:
    methods = {channel.options.method for channel, _ in candidates}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def quality_of(accept: str, media_type: tuple[str, str]) -> float:
    """
    Return how much a client wants a media type, 0 for not at all (RFC 9110, section 12.5.1).

    The most specific range that covers the type decides. No Accept header means anything will do.
    """
    if not accept or media_type == ("*", "*"):
        return 1.0
    best, best_quality = -1, 0.0
    for part in accept.split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        main, _, sub = media_range.lower().partition("/")
        specificity = _specificity((main, sub), media_type)
        if specificity > best:
            best, best_quality = specificity, _quality(parameters)
    return best_quality


def _specificity(media_range: tuple[str, str], media_type: tuple[str, str]) -> int:
    if media_range == media_type:
        return 2
    if media_range == (media_type[0], "*"):
        return 1
    return 0 if media_range == ("*", "*") else -1


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0
