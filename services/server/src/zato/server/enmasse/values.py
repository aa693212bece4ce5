"""What values of files for 2.0 and 3.x are called here. Each function raises ValueError for what has no counterpart."""

from typing import Any

_ENGINES = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite", "oracle": "oracle"}
# Their numbers were those of an ODB; here they are counted from 1 on.
PERMISSIONS = ("Create", "Read", "Update", "Delete")
_NO_SECURITY = frozenset({"zato-no-security", "ZATO_NONE", "none"})
# Of AMQP definitions, and of WS-Security.
_LONGEST_HEARTBEAT_S, _EXPIRY_S = 60, 300
_PASSWORD_TYPES = {"clear_text": "clear_text", "clear": "clear_text", "text": "clear_text", "digest": "digest"}


def lines(value: Any) -> Any:
    """A list, of scopes or fields for one, is lines of a text here."""
    return "\n".join(str(each) for each in value) if isinstance(value, list) else value


def upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def engine(value: Any) -> str:
    """The driver that is named behind a database, mysql+pymysql for one, is our own choice."""
    name = str(value).partition("+")[0].lower()
    if name not in _ENGINES:
        raise ValueError(f"there are no connections to {value} here, only to {', '.join(sorted(set(_ENGINES.values())))}")
    return _ENGINES[name]


def ldap_servers(value: Any) -> str:
    servers = value if isinstance(value, list) else str(value).replace(",", "\n").split()
    return ",".join(server if "://" in str(server) else f"ldap://{server}" for server in servers)


def https_address(value: Any) -> Any:
    return f"https://{value}" if isinstance(value, str) and value and "://" not in value else value


def security(value: Any) -> str:
    return "" if value is None or str(value) in _NO_SECURITY else str(value)


def password_type(value: Any) -> str:
    if str(value) not in _PASSWORD_TYPES:
        raise ValueError(f"there is no password type {value}")
    return _PASSWORD_TYPES[str(value)]


def version(value: Any) -> str:
    return str(value)


def message_format(value: Any) -> str:
    """What was published as no format is what a connector calls raw."""
    return str(value) if value else "raw"


def whole_number(value: Any) -> Any:
    return 0 if value == "" else value


def heartbeat(value: Any) -> Any:
    """Zero switched it off; a broker that nobody hears of for so long is gone all the same."""
    return _LONGEST_HEARTBEAT_S if value in (0, "0", False) else value


def seconds(value: Any) -> Any:
    """Documented as a flag, and given as a number."""
    return _EXPIRY_S if isinstance(value, bool) else value


def addresses(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def with_commas(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def client_of(value: Any) -> Any:
    """A client was named with what it is: sec_def:::basic_auth:::crm."""
    return value.rpartition(":::")[2] if isinstance(value, str) else value


def client_definition(shown: Any) -> str:
    return f"sec_def:::{shown['sec_type']}:::{shown['client_name']}"


def permission(value: Any) -> str:
    """Raises ValueError."""
    number = int(value) if str(value).isdecimal() else 0
    if not 0 < number <= len(PERMISSIONS):
        raise ValueError(f"takes a number from 1 to {len(PERMISSIONS)}")
    return PERMISSIONS[number - 1]


def permission_number(shown: Any) -> int:
    return PERMISSIONS.index(shown["perm_name"]) + 1
