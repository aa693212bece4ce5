"""`zato ca`: making an authority, enrolling, issuing, revoking, rotating."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.ca import views
from zato.ca.connection import connect, which_authority
from zato.common.cli.commands import Command, ExitCode, Group, UsageError, completes_files, completes_folders
from zato.common.cli.console import Console
from zato.common.rpc.roles import ROLES

if TYPE_CHECKING:
    from zato.ca.imports import Imported

_HOUR_S = 3600.0


# Making one


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    completes_folders(parser.add_argument("path", metavar="PATH", type=Path, help="Folder to make, or an empty one"))
    parser.add_argument("--name", default="Zato", help="What the authorities' names begin with (default: Zato)")
    _import_arguments(parser, "Your organisation's intermediate, then its root, in PEM, instead of making both")


def _import_arguments(parser: argparse.ArgumentParser, help: str) -> None:
    group = parser.add_argument_group("An organisation's own authority")
    completes_files(group.add_argument("--certificate", metavar="FILE", type=Path, help=help))
    completes_files(group.add_argument("--key-file", metavar="FILE", type=Path, help="The intermediate's private key, PEM"))
    completes_files(group.add_argument("--passphrase-file", metavar="FILE", type=Path, help="The key's passphrase, if any"))


def _create(options: argparse.Namespace, console: Console) -> int:
    from zato.ca.app import Core
    from zato.ca.part import PART
    from zato.common.cli.parts import load_parts
    from zato.common.lifecycle.folders import create_folder

    imported = _imported(options)
    folder = create_folder(PART, options.path, {"name": options.name}, version=load_parts().version(PART.name))
    core = Core(folder.load_settings(PART))
    core.prepare(imported)
    state = core.registry.state()
    core.store.close()
    names = [record.authority.name for record in state.authorities]
    console.data({"path": str(folder.path), "authorities": names, "secrets": str(folder.secrets_file)})
    console.print(f"Created the certificate authority in {folder.path}: {', '.join(names)}")
    console.hint(f"The key that its keys are encrypted with is in {folder.secrets_file}: keep a copy elsewhere")
    console.print(f"Start it with: zato start {options.path}")
    return ExitCode.OK


def _imported(options: argparse.Namespace) -> "Imported | None":
    import time

    from zato.ca.imports import read_imported

    if not options.certificate and not options.key_file:
        return None
    if not options.certificate or not options.key_file:
        raise UsageError("--certificate and --key-file belong together: give both, or none")
    passphrase = _bytes_of(options.passphrase_file).strip() if options.passphrase_file else None
    return read_imported(_bytes_of(options.certificate), _bytes_of(options.key_file), now=time.time(), passphrase=passphrase)


# Certificates


def _grant_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the part, e.g. server1")
    parser.add_argument(
        "--san", metavar="NAME", action="append", default=[], help="DNS name or IP address where it is found; may be repeated"
    )
    parser.add_argument(
        "--purpose",
        choices=(*ROLES, "part", "client"),
        default="part",
        help="What it is: other parts let it in accordingly (default: part, a program of your own; a client is not called)",
    )
    parser.add_argument("--hours", metavar="N", type=float, default=0.0, help="How long its certificates are valid")
    parser.add_argument("--allow-wildcards", action="store_true", help="Names such as *.example.com are meant")


def _grant(options: argparse.Namespace) -> Any:
    from zato.proto.certificate_authority.v1 import certificate_authority_pb2 as messages

    return messages.Grant(
        name=options.name,
        alternative_names=options.san,
        purpose=options.purpose,
        lifetime_s=options.hours * _HOUR_S,
        is_wildcard_allowed=options.allow_wildcards,
    )


def _token_arguments(parser: argparse.ArgumentParser) -> None:
    _grant_arguments(parser)
    parser.add_argument("--minutes", metavar="N", type=float, default=0.0, help="How long the token is valid")
    parser.add_argument("--reusable", action="store_true", help="For any number of replicas, such as containers, for years")
    completes_files(parser.add_argument("--out", metavar="FILE", type=Path, help="Write the token there, for its owner only"))
    which_authority(parser)


def _token(options: argparse.Namespace, console: Console) -> int:
    from zato.common.lifecycle.folders import write_secret

    with connect(options) as authority:
        made = authority.call(
            "CreateToken", grant=_grant(options), token_lifetime_s=options.minutes * 60, is_reusable=options.reusable
        )
    if options.out:
        write_secret(options.out, made.token + "\n")
    shown = {"path": str(options.out)} if options.out else {"token": made.token}
    console.data({"name": options.name, "expires_at": made.expires_at, **shown})
    names = ", ".join(made.grant.alternative_names) or "no names"
    count = "Any number of certificates" if options.reusable else "One certificate"
    console.hint(f"{count} for {made.grant.name} ({names}), until {views.moment(made.expires_at)}:")
    console.print(f"The token is in {options.out}" if options.out else made.token)
    return ExitCode.OK


def _enrol_arguments(parser: argparse.ArgumentParser) -> None:
    completes_files(
        parser.add_argument("--token-file", metavar="FILE", type=Path, required=True, help="What 'zato ca token' gave")
    )
    completes_folders(parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="Where the files go"))


def _enrol(options: argparse.Namespace, console: Console) -> int:
    from zato.common.certificates.enrolment import enrol
    from zato.common.certificates.identity import Identity
    from zato.common.certificates.tokens import parse_token
    from zato.common.lifecycle.folders import read_secret

    token, identity = parse_token(read_secret(options.token_file)), Identity(options.out)
    enrol(identity, token)
    return _show_files(identity, token.name, console)


def _keep_arguments(parser: argparse.ArgumentParser) -> None:
    completes_folders(parser.add_argument("folder", metavar="FOLDER", type=Path, help="Where a folder for each server goes"))
    parser.add_argument(
        "servers", metavar="NAME=TOKEN_FILE", nargs="+", help="A server, and the file with what 'zato ca token' gave for it"
    )
    parser.add_argument(
        "--poll", metavar="SECONDS", type=float, default=60.0, help="How often it asks whom to trust (default: 60)"
    )


def _keep(options: argparse.Namespace, console: Console) -> int:
    import signal
    import threading

    from zato.ca.keeping import keep
    from zato.common import logs

    files = {}
    for text in options.servers:
        name, _, file = text.partition("=")
        if not file or name in ("", ".", "..") or "/" in name:
            raise UsageError(f"Give NAME=TOKEN_FILE, e.g. postgres=/etc/zato/postgres.token, not {text!r}")
        files[name] = Path(file)
    logs.configure("ca-keep", log_format="auto", level="INFO")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    keep(options.folder, files, stop, poll_s=options.poll)
    return ExitCode.OK


def _issue_arguments(parser: argparse.ArgumentParser) -> None:
    _grant_arguments(parser)
    completes_files(
        parser.add_argument("--request", metavar="FILE", type=Path, help="Request (PKCS #10, PEM) of a key that is elsewhere")
    )
    completes_folders(parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="Where the files go"))
    which_authority(parser)


def _issue(options: argparse.Namespace, console: Console) -> int:
    from zato.common.certificates.identity import Identity, new_request

    identity = Identity(options.out)
    if options.request:
        key, request = "", _bytes_of(options.request)
    else:
        made = new_request(options.name, tuple(options.san))
        key, request = made.key, made.request
    with connect(options) as authority:
        issued = authority.call("Issue", grant=_grant(options), request=request).issued
    identity.keep(key, issued.certificate, issued.authorities)
    return _show_files(identity, options.name, console)


def _show_files(identity: Any, name: str, console: Console) -> int:
    certificate = identity.certificate()
    serial, ends = f"{certificate.serial_number:x}", certificate.not_valid_after_utc.timestamp()
    files = {"identity": str(identity.file), "authorities": str(identity.authorities_file)}
    console.data({"name": name, "serial": serial, "not_after": ends, **files})
    console.panel(
        f"Certificate of {name}",
        [
            ("Serial", serial),
            ("Valid until", views.moment(ends)),
            ("Certificate, key", files["identity"]),
            ("Authorities", files["authorities"]),
        ],
    )
    return ExitCode.OK


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="Those that have expired too")
    parser.add_argument("--name", default="", help="Only those of this part")
    which_authority(parser)


def _list(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as authority:
        found = authority.call("ListCertificates", is_all=options.all, name=options.name).certificates
        authorities = authority.call("GetState").authorities
    views.show_list(console, found, authorities)
    return ExitCode.OK


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("serial", metavar="SERIAL", help="Serial number, as 'zato ca list' shows it")
    which_authority(parser)


def _show(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as authority:
        certificate = authority.call("GetCertificate", serial=options.serial).certificate
    views.show_certificate(console, certificate)
    return ExitCode.OK


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("serial", metavar="SERIAL", nargs="?", default="", help="Serial number of one certificate")
    parser.add_argument("--name", default="", help="All certificates of a part, and its tokens that were not used yet")
    parser.add_argument("--reason", default="", help="As RFC 5280 has them, e.g. keyCompromise, cessationOfOperation")
    which_authority(parser)


def _revoke(options: argparse.Namespace, console: Console) -> int:
    if bool(options.serial) == bool(options.name):
        raise UsageError("Give the SERIAL of a certificate, or --name for all of a part")
    with connect(options) as authority:
        revoked = authority.call("Revoke", serial=options.serial, name=options.name, reason=options.reason)
    console.data({"serials": list(revoked.serials), "tokens": revoked.tokens})
    for serial in revoked.serials:
        console.print(f"Revoked {serial}")
    if revoked.tokens:
        console.print(f"Withdrawn: {revoked.tokens} unused tokens")
    console.hint("Parts refuse it as soon as they have asked again whom to trust, within a minute by default.")
    return ExitCode.OK


# Authorities


def _rotate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("level", choices=("root", "intermediate"), help="A new root comes with a new intermediate")
    parser.add_argument(
        "--after", metavar="SECONDS", type=float, help="When it begins to issue (default: the root's notice, or at once)"
    )
    _import_arguments(parser, "The organisation's next intermediate, then its root, in PEM")
    which_authority(parser)


def _rotate(options: argparse.Namespace, console: Console) -> int:
    fields: dict[str, Any] = {}
    if (imported := _imported(options)) is not None:
        from zato.ca.certificates import key_pem, pem_of

        fields = {"certificate": b"".join(map(pem_of, imported.chain)), "key": key_pem(imported.key).encode()}
    after_s = -1.0 if options.after is None else max(options.after, 0.0)
    with connect(options) as authority:
        before = authority.call("GetState").authorities
        added = authority.call("Rotate", level=options.level, after_s=after_s, **fields).authorities
    views.show_authorities(console, added)
    if any(each.level == "root" for each in added):
        is_followed = not any(each.level == "root" and each.state == "active" and each.is_imported for each in before)
        console.hint(
            "Enrolment tokens that were made before go on working."
            if is_followed
            else "Enrolment tokens that were made before trust the former root alone, whose key is its organisation's:"
            " make new ones with 'zato ca token', also for containers, before the new root issues."
        )
    return ExitCode.OK


def _state(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as authority:
        state = authority.call("GetState")
    views.show_state(console, state)
    return ExitCode.OK


def _audit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", metavar="N", type=int, default=20, help="How many entries; 0 for all (default: 20)")
    which_authority(parser)


def _audit(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as authority:
        answer = authority.call("GetAudit", limit=options.last)
    views.show_audit(console, answer)
    return ExitCode.OK


def _bytes_of(file: Path) -> bytes:
    from zato.common.errors import InvalidOptions

    try:
        return file.read_bytes()
    except OSError as exc:
        raise InvalidOptions(f"{file} cannot be read: {exc.strerror}") from exc


COMMANDS: tuple[Command | Group, ...] = (
    Group(("ca",), "The certificate authority: who is trusted in the cluster"),
    Command(
        path=("ca", "create"),
        help="Make the folder of an authority, with a root and an intermediate, or your organisation's own",
        configure=_create_arguments,
        run=_create,
        examples=("zato ca create ~/ca", "zato ca create ~/ca --certificate chain.pem --key-file issuing.key"),
    ),
    Command(
        path=("ca", "token"),
        help="Make a token with which a part gets its first certificate",
        configure=_token_arguments,
        run=_token,
        examples=(
            "zato ca token server1 --purpose server --san server1.example.com --san 10.0.0.7 --out server1.token",
            "zato ca token server --purpose server --san server --reusable --out server.token",
        ),
    ),
    Command(
        path=("ca", "enrol"),
        help="Get a certificate with a token, as parts do; asks no folder of an authority",
        configure=_enrol_arguments,
        run=_enrol,
        examples=("zato ca enrol --token-file server1.token --out ~/server1/identity",),
    ),
    Command(
        path=("ca", "keep"),
        help="Get certificates for servers that are not ours, such as PostgreSQL, and renew them for as long as it runs",
        configure=_keep_arguments,
        run=_keep,
        examples=("zato ca keep /certificates postgres=/etc/zato/postgres.token rabbitmq=/etc/zato/rabbitmq.token",),
    ),
    Command(
        path=("ca", "issue"),
        help="Issue a certificate without a token, for a new key or a request",
        configure=_issue_arguments,
        run=_issue,
        examples=(
            "zato ca issue operator --purpose client --hours 8 --out ~/me",
            "zato ca issue server1 --san server1 --request server1.csr --out ~/server1",
        ),
    ),
    Command(
        path=("ca", "list"),
        help="Certificates that are valid or revoked, and the authorities",
        configure=_list_arguments,
        run=_list,
        examples=("zato ca list", "zato ca list --name server1 --all --json"),
    ),
    Command(
        path=("ca", "show"),
        help="One certificate, in full",
        configure=_show_arguments,
        run=_show,
        examples=("zato ca show 5f2a…",),
    ),
    Command(
        path=("ca", "revoke"),
        help="Declare a certificate, or all of a part, no longer good",
        configure=_revoke_arguments,
        run=_revoke,
        examples=("zato ca revoke 5f2a… --reason keyCompromise", "zato ca revoke --name server1"),
    ),
    Command(
        path=("ca", "rotate"),
        help="Make the next root or intermediate; the old one is trusted as long as it is needed",
        configure=_rotate_arguments,
        run=_rotate,
        examples=(
            "zato ca rotate intermediate",
            "zato ca rotate root",
            "zato ca rotate intermediate --certificate next.pem --key-file next.key",
        ),
    ),
    Command(
        path=("ca", "state"),
        help="Authorities, counts, and what expires next",
        configure=which_authority,
        run=_state,
        examples=("zato ca state",),
    ),
    Command(
        path=("ca", "audit"),
        help="The audit log's last entries, once its chain was found whole",
        configure=_audit_arguments,
        run=_audit,
        examples=("zato ca audit --last 50",),
    ),
)
