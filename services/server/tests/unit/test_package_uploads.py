"""What may be uploaded: files, archives and wheels as they should be, broken, and hostile."""

import base64
import hashlib
import io
import stat
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zato.common.errors import BadRequest, NotFound, PayloadTooLarge, UnsupportedMediaType
from zato.server.packages.archives import PackageLimits, check_path, pack, read_archive, unpack
from zato.server.packages.folders import pack_folder
from zato.server.packages.package import Package
from zato.server.packages.uploads import Upload, name_of, read_upload

LIMITS = PackageLimits()
SERVICE = b"from zato.server.service import Service\nclass A(Service):\n    def handle(self): pass\n"
ORDERS = {"orders/__init__.py": b"", "orders/api.py": SERVICE, "orders/data/rates.json": b"{}"}


def archive(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, **attributes: Any) -> bytes:
    """A zip archive; `attributes` are set on each of its entries."""
    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(made, "w", method) as writer:
            for path, content in files.items():
                entry = zipfile.ZipInfo(path)
                # What is set here must reach the archive as it is, whatever zipfile thinks of it.
                entry.filename = path
                entry.compress_type = method
                for name, value in attributes.items():
                    setattr(entry, name, value)
                writer.writestr(entry, content)
    return made.getvalue()


def twice(path: str) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(made, "w") as writer:
            writer.writestr(path, b"one")
            writer.writestr(path, b"two")
    return made.getvalue()


def read(files: Mapping[str, bytes], name: str = "orders.zip", limits: PackageLimits = LIMITS) -> dict[str, bytes]:
    upload = read_upload(name, archive(files), limits)
    return Package(upload.name, 1, upload.source).files


# Names and layouts


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("currency.py", "currency.py"),
        ("orders.zip", "orders"),
        ("orders-main.ZIP", "orders_main"),
        ("Orders_Api-1.2.0-py3-none-any.whl", "orders_api"),
    ],
)
def test_the_file_says_what_it_is_deployed_as(file_name: str, name: str) -> None:
    assert name_of(file_name) == name


@pytest.mark.parametrize("name", ["", "orders", "orders.tar.gz", "orders.exe", "orders.zip\n", ".bashrc"])
def test_other_files_are_of_no_use(name: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=r"\.py.*\.zip.*\.whl"):
        read_upload(name, b"", LIMITS)


@pytest.mark.parametrize("name", ["1orders.zip", "or ders.zip", "../orders.zip", "a/b.zip", "ż.zip", "a-b.py", "x.whl"])
def test_a_name_that_is_no_module_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        name_of(name)


@pytest.mark.parametrize(
    "files",
    [
        ORDERS,
        {f"orders-main/{path}": content for path, content in ORDERS.items()},
        {path.removeprefix("orders/"): content for path, content in ORDERS.items()},
        {"p/README.md": b"", "p/pyproject.toml": b"", **{f"p/src/{path}": content for path, content in ORDERS.items()}},
        {**ORDERS, "orders/__pycache__/api.cpython-311.pyc": b"x", "__MACOSX/orders/._api.py": b"x", ".git/config": b""},
    ],
    ids=["as it is", "in a folder", "the package itself", "a project", "with litter"],
)
def test_a_package_is_found_wherever_it_is_in_an_archive(files: dict[str, bytes]) -> None:
    assert read(files) == ORDERS


def test_a_project_is_deployed_without_its_tests() -> None:
    files = {"setup.py": b"1 / 0", "pyproject.toml": b"", "tests/test_a.py": b"1 / 0", "dist/orders.whl": b"x", **ORDERS}
    assert sorted(read(files)) == ["orders/__init__.py", "orders/api.py", "orders/data/rates.json", "pyproject.toml"]


def test_modules_are_named_as_python_names_them() -> None:
    files = {
        "orders/__init__.py": b"",
        "orders/a.py": b"",
        "orders.py": b"",
        "tools/b/c.py": b"",
        "data/x.txt": b"",
        "no-name/a.py": b"",
    }
    assert Package("x", 1, pack(files)).modules == {
        "orders": "orders/__init__.py",
        "orders.a": "orders/a.py",
        "tools": "",
        "tools.b": "",
        "tools.b.c": "tools/b/c.py",
    }


def test_the_same_files_are_the_same_package_in_whatever_order_and_however_compressed() -> None:
    digests = {
        Package(upload.name, 1, upload.source).digest
        for data in (
            archive(ORDERS),
            archive(dict(reversed(ORDERS.items()))),
            archive(ORDERS, method=zipfile.ZIP_STORED, date_time=(2020, 1, 1, 0, 0, 0)),
        )
        for upload in [read_upload("orders.zip", data, LIMITS)]
    }
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(ORDERS.items()))
    assert digests == {hashlib.sha256(lines.encode()).hexdigest()}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"readme.txt": b"x"}, "no Python module"),
        ({"x/__init__.py/y": b""}, "no Python module"),
        ({"json/__init__.py": b"", "a.py": b""}, "'json' is a module of Python"),
        ({"zato/server.py": b"", "a.py": b""}, "'zato' is a module of Python or of the platform"),
    ],
)
def test_a_package_has_modules_that_hide_none_of_pythons(files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(files)


# Hostile archives


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../evil.py", "leaves"),
        ("orders/../../evil.py", "leaves"),
        ("orders/..", "leaves"),
        ("/etc/passwd", "absolute"),
        ("//host/share", "absolute"),
        ("C:/windows/a.py", "absolute"),
        ("c:a.py", "absolute"),
        ("orders\\..\\evil.py", "backslash"),
        ("orders//a.py", "empty"),
        ("./a.py", "empty or '.'"),
        ("orders/./a.py", "empty or '.'"),
        ("a\nb.py", "characters"),
        ("a\x1b[31m.py", "characters"),
        ("a\u202egpj.py", "characters"),
        ("x" * 250 + ".py", "too long"),
        ("x/" * 250 + "a.py", "too long"),
    ],
)
def test_a_path_that_is_none_of_a_package_is_refused(path: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_upload("orders.zip", archive({**ORDERS, path: b"x"}), LIMITS)


def test_a_path_with_a_null_byte_is_refused() -> None:
    data = archive({**ORDERS, "evil.pyX.txt": b"x"}).replace(b"evil.pyX.txt", b"evil.py\0.txt")
    with pytest.raises(BadRequest, match="characters that no path has"):
        read_upload("orders.zip", data, LIMITS)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR])
def test_what_is_no_plain_file_is_refused(kind: int) -> None:
    data = archive({"orders/a.py": b"/etc/passwd"}, create_system=3, external_attr=(kind | 0o777) << 16)
    with pytest.raises(BadRequest, match="symbolic link" if kind == stat.S_IFLNK else "neither a file nor a folder"):
        read_upload("orders.zip", data, LIMITS)


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(archive(ORDERS))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = data.find(signature)
        data[at + offset] |= 0x1
    with pytest.raises(BadRequest, match="encrypted"):
        read_upload("orders.zip", bytes(data), LIMITS)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_ways_to_compress_are_refused(method: int) -> None:
    with pytest.raises(BadRequest, match="compressed in a way"):
        read_upload("orders.zip", archive(ORDERS, method=method), LIMITS)


def test_two_files_of_one_path_are_refused() -> None:
    with pytest.raises(BadRequest, match="twice"):
        read_upload("orders.zip", twice("orders/a.py"), LIMITS)
    with pytest.raises(BadRequest, match="written in another way"):
        read({**ORDERS, "orders/z\u0307.txt": b"", "orders/\u017c.txt": b""})


def test_a_path_that_is_a_file_and_a_folder_is_refused() -> None:
    with pytest.raises(BadRequest, match="is a file and a folder"):
        read({**ORDERS, "orders/data": b"x"})


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    data = archive({"orders/a.py": SERVICE, "orders/zeros": bytes(100 * 1024 * 1024)})
    assert len(data) < 200_000
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge, match="taken for a trap"):
            read_upload("orders.zip", data, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 10 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    data = archive({"orders/a.py": SERVICE, "orders/zeros": bytes(50 * 1024 * 1024)})
    # The index says 1000 bytes.
    data = data.replace(struct.pack("<L", 50 * 1024 * 1024), struct.pack("<L", 1000))
    with pytest.raises(BadRequest, match=r"damaged|not as large"):
        read_upload("orders.zip", data, LIMITS)


def test_entries_that_share_their_bytes_are_refused() -> None:
    data = bytearray(archive({"orders/a.py": SERVICE, "orders/b.py": SERVICE}))
    second = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 1)
    # The second entry of the index points to where the first one lies.
    data[second + 42 : second + 46] = struct.pack("<L", 0)
    with pytest.raises(BadRequest, match="lies where another entry is"):
        read_upload("orders.zip", bytes(data), LIMITS)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (PackageLimits(max_bytes=100), "package_max_bytes"),
        (PackageLimits(max_files=2), "package_max_files"),
        (PackageLimits(max_unpacked_bytes=50), "package_max_unpacked_bytes"),
    ],
)
def test_what_is_too_much_is_refused_with_the_setting_that_says_so(limits: PackageLimits, reason: str) -> None:
    with pytest.raises(PayloadTooLarge, match=reason):
        read(ORDERS, limits=limits)


def test_an_index_with_more_entries_than_it_says_is_not_read_into_memory() -> None:
    data = archive({f"orders/m{number}.py": b"" for number in range(60_000)})
    end = len(data) - 22
    data = data[: end + 8] + struct.pack("<HH", 1, 1) + data[end + 12 :]
    with pytest.raises(PayloadTooLarge, match="package_max_files"):
        read_upload("orders.zip", data, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"PK\x05\x06",
        b"PK\x03\x04" + b"\0" * 100,
        b"\x7fELF" + archive(ORDERS),
        b"MZ" + archive(ORDERS),
        archive(ORDERS) + b"more",
        archive(ORDERS)[:-10],
        archive(ORDERS)[:200],
        archive(ORDERS)[200:],
    ],
    ids=lambda data: f"{data[:4]!r}-{len(data)}",
)
def test_what_is_no_whole_archive_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        read_upload("orders.zip", data, LIMITS)


def test_a_damaged_file_is_refused() -> None:
    data = archive({"orders/a.py": SERVICE * 50}, method=zipfile.ZIP_STORED)
    with pytest.raises(BadRequest, match="damaged"):
        read_upload("orders.zip", data.replace(b"handle", b"handlE", 1), LIMITS)


# Whatever comes, it is refused with an error of ours, or it is a package whose paths stay below its folder.

_FILE_NAMES = st.text(alphabet="ab/\\.:\0\n~ż\u202e", max_size=12) | st.sampled_from(
    ["../x", "/x", "a/b.py", "a/__init__.py", "a"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(_FILE_NAMES, st.binary(max_size=40), max_size=5),
    st.integers(0, 0xFFFF),
    st.sampled_from([0, 3, 7]),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]),
)
def test_an_archive_is_refused_or_stays_below_its_folder(files: dict[str, bytes], mode: int, system: int, method: int) -> None:
    data = archive(files, method=method, create_system=system, external_attr=mode << 16)
    _is_safe(lambda: read_upload("orders.zip", data, LIMITS))


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_an_archive_with_bytes_changed_is_refused_or_stays_below_its_folder(data: st.DataObject) -> None:
    broken = bytearray(archive({**ORDERS, "orders/b.py": b"x = 1\n" * 20}))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(broken)))]
    _is_safe(lambda: read_upload("orders.zip", bytes(broken), LIMITS))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"PK\x03\x04" + b"PK\x05\x06" + b"\xff" * 18)
def test_bytes_are_refused(data: bytes) -> None:
    for name in ("orders.zip", "orders-1-py3-none-any.whl"):
        _is_safe(lambda name=name: read_upload(name, data, LIMITS))  # type: ignore[misc]


def _is_safe(act: Callable[[], Upload]) -> None:
    upload, message = None, ""
    try:
        upload = act()
    except (BadRequest, PayloadTooLarge, UnsupportedMediaType) as exc:
        message = exc.message
    # It goes to clients as JSON: whatever was in the archive must not keep them from hearing of it.
    assert message.encode() or upload
    if upload is None:
        return
    root = Path("/work-folder")
    for path, content in unpack(upload.source).items():
        check_path("x", path)
        assert (root / path).resolve().is_relative_to(root)
        assert len(content) <= LIMITS.max_unpacked_bytes


# Wheels

WHEEL = "orders-1.2.0-py3-none-any.whl"
_INFO = "orders-1.2.0.dist-info"


def wheel(
    files: Mapping[str, bytes] = ORDERS,
    *,
    info: str = _INFO,
    wheel_file: str = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    metadata: str = "Metadata-Version: 2.1\nName: orders\nVersion: 1.2.0\n",
    change: Callable[[dict[str, bytes]], None] = lambda files: None,
) -> bytes:
    """A wheel, with its record; `change` is done to its files afterwards."""
    inside = {**files, f"{info}/WHEEL": wheel_file.encode(), f"{info}/METADATA": metadata.encode()}
    lines = [f"{path},sha256={_checksum(content)},{len(content)}\n" for path, content in inside.items()]
    inside[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    change(inside)
    return archive(inside)


def _checksum(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def test_a_wheel_is_a_package() -> None:
    upload = read_upload(WHEEL, wheel(), LIMITS)
    assert upload.name == "orders"
    assert {"orders/api.py", f"{_INFO}/METADATA"} <= unpack(upload.source).keys()
    assert Package("orders", 1, upload.source).top_level == {"orders"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: files.update({"orders/api.py": b"import os"}), "'orders/api.py' is not what the RECORD says"),
        (lambda files: files.update({"orders/more.py": b""}), "'orders/more.py' is not in its RECORD"),
        (lambda files: files.pop("orders/api.py"), "lacks 'orders/api.py'"),
        (lambda files: files.pop(f"{_INFO}/RECORD"), "has no .*RECORD"),
        (lambda files: files.pop(f"{_INFO}/WHEEL"), "has no .*WHEEL"),
        (lambda files: files.update({f"{_INFO}/RECORD": b"\xff"}), "RECORD cannot be read"),
        (lambda files: files.update({f"{_INFO}/RECORD": b"orders/api.py\n"}), "not path, checksum and size"),
        (lambda files: files.update({f"{_INFO}/RECORD": b"orders/api.py,md5=abc,1\n"}), "no checksum"),
        (lambda files: files.update({"other-1.dist-info/WHEEL": b""}), "one folder that ends in .dist-info"),
    ],
)
def test_a_wheel_that_is_not_what_its_record_says_is_refused(change: Callable[[dict[str, bytes]], None], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_upload(WHEEL, wheel(change=change), LIMITS)


@pytest.mark.parametrize(
    ("name", "kwargs", "reason"),
    [
        ("orders-1.3.0-py3-none-any.whl", {}, "version '1.2.0'"),
        ("other-1.2.0-py3-none-any.whl", {}, "METADATA is of 'orders'"),
        ("orders-1.2.0-cp311-cp311-manylinux_2_17_x86_64.whl", {}, "compiled code"),
        ("orders-1.2.0-py2-none-any.whl", {}, "is for py2"),
        (WHEEL, {"wheel_file": "Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"}, "version 2.0"),
        (WHEEL, {"wheel_file": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"}, "Root-Is-Purelib"),
        (WHEEL, {"metadata": "Name: orders\nVersion: 1.2.0\nRequires-Python: >=4\n"}, "takes Python >=4"),
        (WHEEL, {"metadata": "Name: orders\nVersion: 1.2.0\nRequires-Python: new\n"}, "Requires-Python"),
        (WHEEL, {"files": {**ORDERS, "orders-1.2.0.data/scripts/run": b""}}, "for an installer"),
    ],
)
def test_a_wheel_for_something_else_is_refused(name: str, kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_upload(name, wheel(**kwargs), LIMITS)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["WHEEL", "METADATA", "RECORD"]), st.data())
def test_a_wheel_with_bytes_changed_is_refused_or_stays_below_its_folder(name: str, data: st.DataObject) -> None:
    def change(files: dict[str, bytes]) -> None:
        content = bytearray(files[f"{_INFO}/{name}"])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content)))
            content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        files[f"{_INFO}/{name}"] = bytes(content)

    _is_safe(lambda: read_upload(WHEEL, wheel(change=change), LIMITS))


def test_names_in_metadata_that_are_no_text_are_refused_in_words_that_are() -> None:
    data = wheel(change=lambda files: files.update({f"{_INFO}/METADATA": b"Name: \xff\xfe\nVersion: 1.2.0\n"}))
    with pytest.raises(BadRequest, match="METADATA is of") as raised:
        read_upload(WHEEL, data, LIMITS)
    assert raised.value.message.encode()


# Folders


def test_a_folder_becomes_an_archive_without_what_is_hidden_or_left_behind(tmp_path: Path) -> None:
    for path, content in {**ORDERS, ".env": b"secret", "orders/__pycache__/a.pyc": b"x", ".venv/lib/a.py": b"x"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert read_archive("x.zip", pack_folder(tmp_path), LIMITS) == ORDERS


def test_a_folder_with_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"")
    (tmp_path / "b.py").symlink_to("/etc/passwd")
    with pytest.raises(BadRequest, match="symbolic link"):
        pack_folder(tmp_path)


def test_a_folder_that_is_empty_too_large_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no files"):
        pack_folder(tmp_path)
    (tmp_path / "a.py").write_bytes(b"x" * 100)
    with pytest.raises(PayloadTooLarge):
        pack_folder(tmp_path, PackageLimits(max_unpacked_bytes=50))
    with pytest.raises(NotFound):
        pack_folder(tmp_path / "nowhere")
