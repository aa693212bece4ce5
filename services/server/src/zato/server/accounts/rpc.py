"""The contract Accounts, and whose each call is."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from zato.common.errors import Unauthorized
from zato.proto.accounts.v1.accounts_pb2 import SignInRequest, SignInResponse, SignOutResponse
from zato.server.accounts.identity import Identity
from zato.server.accounts.roles import check_method
from zato.server.accounts.sign_in import SignIn
from zato.server.accounts.tokens import PREFIX

if TYPE_CHECKING:
    from zato.server.rpc import Call

SIGN_IN = "Accounts/SignIn"


class AccountsRPC:
    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    @property
    def methods(self) -> "Mapping[str, Callable[[Call], bytes]]":
        return {SIGN_IN: self._begin, "Accounts/SignOut": self._end}

    def authorize(self, method: str, token: str) -> Identity | None:
        """
        Return who calls, None for a part of the cluster.

        Args:
            token: The person's, as the sidecar passes it on; "" when it was the cluster's, which it has checked.

        Raises:
            Unauthorized: The token is not, or no more, valid.
            Forbidden: The role is too little for this method.
        """
        if method == SIGN_IN or not token:
            return None
        if not token.startswith(PREFIX):
            raise Unauthorized("The call carries no valid token")
        identity = self._sign_in.identify(token)
        check_method(method, identity.role, must_change_password=identity.must_change_password)
        return identity

    def _begin(self, call: "Call") -> bytes:
        request = SignInRequest.FromString(call.message)
        is_for_others = call.is_from_part and request.address
        signed_in = self._sign_in.sign_in(
            request.name,
            request.password,
            request.code,
            address=request.address if is_for_others else call.author.address,
            purpose=request.purpose,
        )
        identity = signed_in.identity
        if identity is None or signed_in.expires_at is None:
            return SignInResponse(needs_code=True).SerializeToString()
        return SignInResponse(
            token=signed_in.token,
            name=identity.name,
            role=identity.role.label,
            must_change_password=identity.must_change_password,
            expires_at=signed_in.expires_at.isoformat(),
        ).SerializeToString()

    def _end(self, call: "Call") -> bytes:
        self._sign_in.sign_out(call.author)
        return SignOutResponse().SerializeToString()
