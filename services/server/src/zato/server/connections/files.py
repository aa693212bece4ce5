"""What connections that move files have in common."""

from zato.common.errors import ZatoError


class NoSuchFile(ZatoError, LookupError):
    """There is no such file or directory on the other side, or we may not touch it: servers do not tell these apart."""

    @classmethod
    def on(cls, name: str) -> "NoSuchFile":
        return cls(f"Connection '{name}' failed: there is no such file or directory, or it may not be touched")
