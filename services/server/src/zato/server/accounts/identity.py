"""Who calls: the person or program that a token stands for."""

from dataclasses import dataclass

from zato.server.accounts.roles import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Args:
        token_id: Of the token that was shown; 0 when it was a password.
        role: The account's, or the token's when that is less.
    """

    account_id: int
    name: str
    role: Role
    token_id: int = 0
    must_change_password: bool = False
