"""What the commands show: tables for people, documents for programs."""

import datetime
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from zato.common.cli.console import Console
from zato.common.cli.units import duration

_styles = {
    "valid": "green",
    "active": "green",
    "next": "cyan",
    "retiring": "yellow",
    "revoked": "bold red",
    "refused": "bold red",
    "expired": "dim",
    "retired": "dim",
}
_MAX_DETAILS = 100


def moment(seconds: float) -> str:
    """Return e.g. "2026-01-31 12:00:00 (in 3 h 5 min)", in local time."""
    left_s = seconds - time.time()
    relation = f"in {duration(left_s)}" if left_s >= 0 else f"{duration(-left_s)} ago"
    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S} ({relation})"


def show_list(console: Console, certificates: Sequence[Any], authorities: Sequence[Any]) -> None:
    console.data({"certificates": [_certificate(each) for each in certificates], "authorities": _fields_of(authorities)})
    _authority_table(console, authorities)
    console.print()
    rows = [
        (
            each.serial,
            each.name,
            ", ".join(each.alternative_names),
            each.purpose,
            _colored(each.state),
            moment(each.not_after),
            each.issuer,
        )
        for each in certificates
    ]
    columns = ("Serial", "Name", "Alternative names", "Purpose", "State", "Ends", "Issuer")
    console.table(columns, rows, empty="No certificates yet: zato ca token NAME --san ADDRESS gives a part its first one.")


def show_certificate(console: Console, certificate: Any) -> None:
    console.data(_certificate(certificate) | {"certificate": certificate.certificate.decode()})
    rows = [
        ("Serial", certificate.serial),
        ("State", _colored(certificate.state)),
        ("Alternative names", ", ".join(certificate.alternative_names) or "none"),
        ("Purpose", certificate.purpose),
        ("Issuer", certificate.issuer),
        ("Given for", certificate.source),
        ("Begins", moment(certificate.not_before)),
        ("Ends", moment(certificate.not_after)),
        ("SHA-256", certificate.fingerprint),
    ]
    if certificate.state == "revoked":
        rows.insert(2, ("Revoked", f"{moment(certificate.revoked_at)}, {certificate.reason}"))
    console.panel(certificate.name, rows)
    console.print(certificate.certificate.decode().rstrip(), style="dim")


def show_authorities(console: Console, authorities: Sequence[Any]) -> None:
    console.data({"authorities": _fields_of(authorities)})
    _authority_table(console, authorities)
    if any(each.state == "next" for each in authorities):
        console.hint("Trusted from now on; it issues when all parts have had time to hear of it.")


def show_state(console: Console, state: Any) -> None:
    counts = {name: getattr(state, name) for name in ("valid", "revoked", "open_tokens", "next_expiry")}
    console.data({"authorities": _fields_of(state.authorities), **counts})
    _authority_table(console, state.authorities)
    ends = f", the next one ends {moment(state.next_expiry)}" if state.next_expiry else ""
    console.print(f"{state.valid} certificates valid{ends}, {state.revoked} revoked, {state.open_tokens} tokens not used yet")


def show_audit(console: Console, answer: Any) -> None:
    entries = [json.loads(line) for line in answer.entries]
    console.data({"entries": entries, "total": answer.total, "is_whole": True})
    rows = [(each["number"], each["at"][:19], _colored(each["event"]), _details(each), each["by"]) for each in entries]
    console.table(("Number", "At, UTC", "Event", "What", "By"), rows)
    console.hint(f"{answer.total} entries; the chain is whole.")


def _authority_table(console: Console, authorities: Iterable[Any]) -> None:
    rows = [
        (
            each.name,
            each.level,
            _colored(each.state),
            moment(each.not_after),
            moment(each.active_from) if each.state == "next" else "",
            moment(each.trusted_until) if each.trusted_until else "",
            "your organisation's" if each.is_imported else "",
        )
        for each in authorities
    ]
    console.table(("Authority", "Level", "State", "Ends", "Issues", "Trusted until", ""), rows)


def _details(entry: dict[str, Any]) -> str:
    shown = {key: value for key, value in entry.items() if key not in ("number", "at", "event", "by", "previous", "hash")}
    text = ", ".join(f"{key}={value}" for key, value in shown.items() if value not in ("", [], None))
    return text if len(text) <= _MAX_DETAILS else f"{text[:_MAX_DETAILS]}…"


def _colored(state: str) -> Any:
    from rich.text import Text

    return Text(state, style=_styles.get(state, ""))


def _fields_of(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [_fields(each) for each in found]


def _certificate(certificate: Any) -> dict[str, Any]:
    fields = _fields(certificate)
    del fields["certificate"]
    return fields | {"alternative_names": list(certificate.alternative_names)}


def _fields(message: Any) -> dict[str, Any]:
    """Return a message's fields. Not protobuf's own JSON, which has 64-bit numbers as texts."""
    return {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
