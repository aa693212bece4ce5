"""Who stands before a channel: verifiers, made of the configuration once and kept for as long as their definition stays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zato.common.errors import Forbidden, Unauthorized, Unavailable, ZatoError
from zato.common.logs import get_logger
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.request import Request
from zato.server.security import api_key, basic_auth, jwt, jwt_issuer, oauth, tech_account, tls_channel, wss, xpath
from zato.server.security.context import SecurityContext
from zato.server.security.definitions import Allowed, BadCredentials, Identity, Verifier
from zato.server.security.rbac import Permissions

log = get_logger(__name__)

_SWITCHED_OFF = "The credentials for this address are switched off"
# Several challenges are as long as a header may be, no longer.
_MOST_CHALLENGES = 10
_VERIFIERS: Mapping[str, Callable[[ConfigObject, SecurityContext], Verifier]] = {
    basic_auth.KIND.name: lambda made, _: basic_auth.make_verifier(made.name, made.options),
    api_key.KIND.name: lambda made, _: api_key.make_verifier(made.name, made.options),
    jwt.KIND.name: lambda made, context: jwt.JWTAuthority(made, context),
    jwt_issuer.KIND.name: lambda made, _: jwt_issuer.make_verifier(made.name, made.options),
    oauth.KIND.name: lambda made, context: oauth.make_verifier(made.name, made.id, made.options, context),
    tech_account.KIND.name: lambda made, _: tech_account.make_verifier(made.name, made.options),
    tls_channel.KIND.name: lambda made, _: tls_channel.make_verifier(made.name, made.options),
    wss.KIND.name: lambda made, context: wss.make_verifier(made.name, made.id, made.options, context),
    xpath.KIND.name: lambda made, _: xpath.make_verifier(made.name, made.options),
}


class Gate:
    """
    The security of one configuration version.

    Args:
        context: What verifiers work with.
        known: By the id of a definition, its version and its verifier, which remembers whom it has seen.
    """

    def __init__(
        self,
        context: SecurityContext,
        configuration: Configuration | None = None,
        known: Mapping[int, tuple[int, Verifier]] | None = None,
    ) -> None:
        self._context = context
        configuration = configuration if configuration is not None else Configuration()
        self._permissions = Permissions(configuration)
        self._verifiers: dict[str, Verifier] = {}
        self._known: dict[int, tuple[int, Verifier]] = {}
        authorities: list[tuple[ConfigObject, jwt.JWTAuthority]] = []
        for definition in configuration.objects.values():
            if definition.kind in _VERIFIERS:
                verifier = self._verifiers[definition.name] = self._verifier_of(definition, known or {})
                if isinstance(verifier, jwt.JWTAuthority):
                    authorities.append((definition, verifier))
        self.log_in = jwt.LogIn(authorities, context.throttle)

    def follow(self, configuration: Configuration) -> "Gate":
        """Return the gate of `configuration`; verifiers of definitions that have not changed are the same ones."""
        return Gate(self._context, configuration, self._known)

    def guard(self, channel: Any) -> Verifier | None:
        """
        Return what lets callers of a channel in; None when everybody may call, because someone said so.

        Args:
            channel: Its options: `security`, `service` and, where it has them, `has_rbac` and `sec_use_rbac`.
        """
        if getattr(channel, "sec_use_rbac", False):
            clients = [self._verifier(name) for _, name in self._permissions.clients(channel.service)]
            return with_roles(any_of(clients), self._permissions.allowed(channel.service))
        verify = self._verifier(channel.security) if channel.security else None
        if getattr(channel, "has_rbac", False):
            return with_roles(verify or nobody, self._permissions.allowed(channel.service))
        return verify

    def _verifier(self, name: str) -> Verifier:
        verifier = self._verifiers.get(name)
        if verifier is None:
            # It can't be read, since its secrets were encrypted with another key for one: see object_not_usable in the log.
            log.error("security_definition_missing", name=name)
            return refuse_everyone
        return verifier

    def _verifier_of(self, definition: ConfigObject, known: Mapping[int, tuple[int, Verifier]]) -> Verifier:
        version, verifier = known.get(definition.id, (0, refuse_everyone))
        if version != definition.version:
            try:
                verifier = _VERIFIERS[definition.kind](definition, self._context)
            except Exception:
                # One that can't be used must not keep the rest of the configuration from being used.
                log.exception("security_definition_not_usable", kind=definition.kind, name=definition.name)
                return refuse_everyone
        self._known[definition.id] = (definition.version, verifier)
        return verifier if definition.is_active else switched_off(verifier)


def refuse_everyone(_request: Request) -> Identity:
    """A definition that can't be read lets nobody in rather than everybody."""
    raise Unauthorized(_SWITCHED_OFF)


def switched_off(verify: Verifier) -> Verifier:
    """Return what refuses everybody, with the challenge of the verifier that is switched off."""
    try:
        verify(Request("GET", "/", [], b"", cid=""))
        challenge = ""
    except Unauthorized as exc:
        challenge = exc.challenge

    def refuse(_request: Request) -> Identity:
        raise Unauthorized(_SWITCHED_OFF, challenge=challenge)

    return refuse


def nobody(_request: Request) -> Identity:
    """A channel that asks for roles, and for no credentials, knows nobody who could have one."""
    raise Forbidden("Nobody may call this address: it asks for roles, but not for credentials that have one")


def with_roles(verify: Verifier, allowed: Allowed) -> Verifier:
    """Return a verifier that also wants the caller to have a role that may use the request's method."""

    def verify_role(request: Request) -> Identity:
        identity = verify(request)
        if (identity.kind, identity.definition) not in allowed.get(request.method, ()):
            log.info("role_missing", definition=identity.definition, method=request.method)
            raise Forbidden("The credentials are good, but not for this: none of their roles may do it")
        return identity

    return verify_role


def any_of(verifiers: Sequence[Verifier]) -> Verifier:
    """Return a verifier that is satisfied when one of several is. It costs as much as all up to that one."""

    def verify_any(request: Request) -> Identity:
        refusals: list[ZatoError] = []
        for verify in verifiers:
            try:
                return verify(request)
            except (Unauthorized, Forbidden, Unavailable) as exc:
                refusals.append(exc)
        raise _worst(refusals)

    return verify_any


def _worst(refusals: Sequence[ZatoError]) -> ZatoError:
    """Of several, the one that says most: that we can't tell now, or who it is but may not, or that nobody knows the caller."""
    for kind in (Unavailable, Forbidden):
        for each in refusals:
            if isinstance(each, kind):
                return each
    message = "The request needs valid credentials"
    return BadCredentials(message, _challenges(refusals), reason="none of the definitions with a role is satisfied")


def _challenges(refusals: Iterable[ZatoError]) -> str:
    challenges = dict.fromkeys(each.challenge for each in refusals if isinstance(each, Unauthorized) and each.challenge)
    return ", ".join(list(challenges)[:_MOST_CHALLENGES])
