"""Which channel a request is for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from zato.common.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from zato.server.http.channel import ENCODED_SLASH, Channel
from zato.server.http.request import Request
from zato.server.http.soap.actions import asks_for_wsdl, is_soap, soap_action, wsdl_action

# All but NUL, which is refused before and stands for an encoded slash here.
_CONTROL = re.compile(r"[\x01-\x1f\x7f-\x9f]")
_QUALITY = re.compile(r"0(\.\d*)?|1(\.0*)?", re.ASCII)
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
# A channel, and what its path's parameters are in this request.
Candidate = tuple[Channel, Mapping[str, str]]


class Router:
    """
    Finds channels by path, method and Accept, SOAP ones by path and action. A fixed path wins over one with parameters,
    then the one with more fixed characters; on one path, the channel for the very method wins over one for all; between
    equals the name decides.
    """

    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        self._static: dict[str, list[Candidate]] = {}
        self._soap_paths: set[str] = set()
        patterns: list[Channel] = []
        for channel in sorted(channels, key=lambda each: each.name):
            if channel.pattern is None:
                self._static.setdefault(channel.options.url_path, []).append((channel, {}))
                if channel.soap is not None:
                    self._soap_paths.add(channel.options.url_path)
            else:
                patterns.append(channel)
        self._patterns = sorted(patterns, key=lambda each: -each.literal_length)

    def find(self, method: str, path: str, accept: str, request: Request | None = None) -> Candidate:
        """
        Return the channel and the parameters of the path.

        Args:
            path: As it was sent, percent-encoded.
            request: Says whether it is SOAP, and its action; without it no SOAP channel is found.

        Raises:
            BadRequest: The path can't be decoded.
            NotFound: No channel has this path, or this SOAP action.
            MethodNotAllowed: There are channels, but not for this method.
            NotAcceptable: There are channels, but none answers with what the client accepts.
        """
        decoded = decode_path(path)
        static = self._static.get(decoded)
        if static is not None:
            return _choose(_by_action(static, request) if decoded in self._soap_paths else static, method, accept)
        return _choose(self._matching(decoded), method, accept)

    def _matching(self, path: str) -> list[Candidate]:
        found: list[Candidate] = []
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


def _by_action(candidates: Sequence[Candidate], request: Request | None) -> Sequence[Candidate]:
    """Return those of a path for a SOAP request's action, or the plain ones for what is no SOAP."""
    plain = [each for each in candidates if each[0].soap is None]
    wants_wsdl = request is not None and asks_for_wsdl(request)
    if request is None or (plain and not wants_wsdl and not is_soap(request)):
        return plain
    soap = [(each, each[0].soap.soap_action) for each in candidates if each[0].soap is not None]
    if wants_wsdl and not wsdl_action(request):
        return [soap[0][0]]
    asked = wsdl_action(request) if wants_wsdl else soap_action(request)
    for wanted in (asked, ""):
        if found := [each for each, action in soap if action == wanted]:
            return found
    raise NotFound("There is no service for this SOAP action at this path: check both")


def _choose(candidates: Sequence[Candidate], method: str, accept: str) -> Candidate:
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
    return not own or own == method or (method == "HEAD" and own == "GET") or (method == "GET" and channel.soap is not None)


def _closeness(channel: Channel, method: str) -> int:
    own = channel.options.method
    return 2 if own == method else 1 if own else 0


def _allow_header(candidates: Sequence[Candidate]) -> str:
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
