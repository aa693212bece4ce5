"""
Do the contracts still speak to the last release? Parts are upgraded one at a time, so each talks to its neighbours of
the release before.

    python proto/breaking.py              exit 1 and say what breaks
    python proto/breaking.py --release    these contracts are those of a release: compare with them from now on
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT = Path(__file__).parent
RELEASED = ROOT / "released.binpb"
# A number that is not used any more must be kept from others, and so must its name.
_RESERVE = "reserve both its number and its name"


def contracts_in(folder: Path) -> FileDescriptorSet:
    """Return what the .proto files in a folder say."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as made:
        target = Path(made) / "contracts.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={folder}", f"--descriptor_set_out={target}"]
        subprocess.run([*command, *files], check=True, cwd=folder)
        return FileDescriptorSet.FromString(target.read_bytes())


def breaking_changes(before: FileDescriptorSet, after: FileDescriptorSet) -> list[str]:
    """Return a sentence for each change that somebody of the other release would stumble over."""
    messages, old_messages = _messages(after), _messages(before)
    enums, old_enums = _enums(after), _enums(before)
    services, old_services = _services(after), _services(before)
    found: list[str] = []
    for name, old_service in old_services.items():
        found += _of_service(name, old_service, services.get(name))
    for name, old_message in old_messages.items():
        found += _of_message(name, old_message, messages.get(name))
    for name, old_enum in old_enums.items():
        found += _of_enum(name, old_enum, enums.get(name))
    return found


def _of_service(name: str, old: ServiceDescriptorProto, new: ServiceDescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: the service is gone"
        return
    methods = {method.name: method for method in new.method}
    for method in old.method:
        now = methods.get(method.name)
        if now is None:
            yield f"{name}/{method.name}: the method is gone"
        elif _shape(method) != _shape(now):
            yield f"{name}/{method.name}: takes or answers something else"


def _shape(method: object) -> tuple[object, ...]:
    return tuple(getattr(method, name) for name in ("input_type", "output_type", "client_streaming", "server_streaming"))


def _of_message(name: str, old: DescriptorProto, new: DescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: the message is gone"
        return
    fields = {field.number: field for field in new.field}
    for field in old.field:
        now = fields.get(field.number)
        where = f"{name}.{field.name} ({field.number})"
        if now is None:
            is_kept_free = any(span.start <= field.number < span.end for span in new.reserved_range)
            if not is_kept_free or field.name not in new.reserved_name:
                yield f"{where}: the field is gone, {_RESERVE}"
        elif now.name != field.name:
            yield f"{where}: is called {now.name} now; numbers are never used again"
        elif _form(field, old) != _form(now, new):
            yield f"{where}: is of another type now"
    for span in old.reserved_range:
        used = [field.name for number, field in fields.items() if span.start <= number < span.end]
        if used:
            yield f"{name}.{used[0]}: its number was reserved"


def _form(field: FieldDescriptorProto, message: DescriptorProto) -> tuple[object, ...]:
    group = ""
    if field.HasField("oneof_index") and not field.proto3_optional:
        group = message.oneof_decl[field.oneof_index].name
    return field.type, field.type_name, field.label, field.proto3_optional, group


def _of_enum(name: str, old: EnumDescriptorProto, new: EnumDescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: the enum is gone"
        return
    values = {value.number: value.name for value in new.value}
    for value in old.value:
        now = values.get(value.number)
        if now is None:
            is_kept_free = any(span.start <= value.number <= span.end for span in new.reserved_range)
            if not is_kept_free or value.name not in new.reserved_name:
                yield f"{name}.{value.name} ({value.number}): the value is gone, {_RESERVE}"
        elif now != value.name:
            yield f"{name}.{value.name} ({value.number}): is called {now} now; numbers are never used again"


def _services(contracts: FileDescriptorSet) -> dict[str, ServiceDescriptorProto]:
    return {f"{file.package}.{service.name}": service for file in contracts.file for service in file.service}


def _messages(contracts: FileDescriptorSet) -> dict[str, DescriptorProto]:
    return dict(found for file in contracts.file for found in _within(file.package, file))


def _within(prefix: str, holder: FileDescriptorProto | DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    held = holder.message_type if isinstance(holder, FileDescriptorProto) else holder.nested_type
    for message in held:
        name = f"{prefix}.{message.name}"
        yield name, message
        yield from _within(name, message)


def _enums(contracts: FileDescriptorSet) -> dict[str, EnumDescriptorProto]:
    own = {f"{file.package}.{enum.name}": enum for file in contracts.file for enum in file.enum_type}
    nested = {f"{name}.{enum.name}": enum for name, message in _messages(contracts).items() for enum in message.enum_type}
    return {**own, **nested}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="keep the contracts as those of a release")
    now = contracts_in(ROOT)
    if parser.parse_args().release:
        RELEASED.write_bytes(now.SerializeToString(deterministic=True))
        return 0
    found = breaking_changes(FileDescriptorSet.FromString(RELEASED.read_bytes()), now)
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
