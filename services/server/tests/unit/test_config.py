from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import InvalidOptions
from zato.common.secrets import generate_key
from zato.common.settings import describe_settings
from zato.server.config import ServerSettings, read_settings

KEY = generate_key()
GOOD = {"odb_url": "sqlite:////tmp/odb.db", "token": "the-token", "secret_key": KEY}


def environment(**settings: Any) -> dict[str, str]:
    return {f"ZATO_SERVER_{name.upper()}": str(value) for name, value in {**GOOD, **settings}.items()}


def read(**settings: Any) -> ServerSettings:
    return read_settings(None, environment(**settings))


def test_without_a_file_the_environment_is_enough() -> None:
    settings = read(workers=4, undeploy_deleted="no", trusted_proxies="10.0.0.0/8, ::1")
    assert (settings.workers, settings.undeploy_deleted) == (4, False)
    assert [str(network) for network in settings.trusted_networks] == ["10.0.0.0/8", "::1/128"]


def test_everything_listens_at_the_loopback_address_unless_told_otherwise() -> None:
    settings = read()
    assert settings.http_address.startswith("127.0.0.1:")
    assert settings.grpc_address.startswith("127.0.0.1:")


def test_nothing_secret_has_a_default() -> None:
    with pytest.raises(InvalidOptions) as raised:
        read_settings(None, {})
    assert raised.value.attributes == dict.fromkeys(("odb_url", "token", "secret_key"), "is required")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "a/b"),
        ("name", "x" * 300),
        ("cluster", "a b"),
        ("http_address", "17010"),
        ("http_address", "127.0.0.1:port"),
        ("http_address", "127.0.0.1:65536"),
        ("grpc_address", ":17110"),
        ("advertised_address", "host"),
        ("lb_agent_address", "host:"),
        ("workers", "0"),
        ("workers", "1.5"),
        ("workers", "many"),
        ("odb_url", "mysql://localhost/zato"),
        ("odb_url", "not a URL"),
        ("odb_url", "sqlite:///relative.db"),
        ("odb_url", ""),
        ("redis_url", "127.0.0.1:6379"),
        ("redis_url", "http://127.0.0.1"),
        ("token", ""),
        ("secret_key", ""),
        ("secret_key", "too-short"),
        ("secret_key", f"{KEY},too-short"),
        ("undeploy_deleted", "perhaps"),
        ("trusted_proxies", "10.0.0.0/8, proxy.example.com"),
        ("poll_interval_s", "0"),
        ("poll_interval_s", "nan"),
        ("max_connections", "-1"),
        ("max_body_bytes", "-1"),
        ("max_buffered_bytes", "0"),
        ("max_request_line_bytes", "1"),
        ("max_headers", "0"),
        ("max_header_bytes", "x"),
        ("header_timeout_s", "0"),
        ("body_timeout_s", "inf"),
        ("idle_timeout_s", ""),
        ("write_timeout_s", "-1"),
        ("graceful_timeout_s", "-1"),
        ("log_format", "xml"),
        ("log_level", "LOUD"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        read(**{name: value})
    assert f"'{name}'" in raised.value.message
    assert "settings of server" in raised.value.message


def test_one_body_of_the_accepted_size_can_be_held_at_least() -> None:
    assert read(max_body_bytes=10, max_buffered_bytes=100).body_budget_bytes == 100
    assert read(max_body_bytes=2_000_000_000).body_budget_bytes == 2_000_000_000


def test_all_bad_settings_are_named_at_once() -> None:
    with pytest.raises(InvalidOptions) as raised:
        read(workers=0, log_level="LOUD", max_headers="x")
    assert set(raised.value.attributes) == {"workers", "log_level", "max_headers"}


@pytest.mark.parametrize("name", ["odb_url", "redis_url", "secret_key"])
def test_a_bad_secret_is_named_but_not_shown(name: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        read(**{name: "xyz://user:the-password@host"})
    assert "the-password" not in str(raised.value) + repr(raised.value.attributes)


def test_only_some_of_the_files_of_tls_are_refused() -> None:
    with pytest.raises(InvalidOptions, match="all three files"):
        read(grpc_certificate="/tmp/cert.pem")


def test_paths_in_a_file_are_relative_to_it_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('workers = 3\nmax_headers = 5\npickup_folder = "in"\n')
    (tmp_path / "secrets.toml").write_text("\n".join(f'{name} = "{value}"' for name, value in GOOD.items()))
    settings = read_settings(tmp_path, {"ZATO_SERVER_WORKERS": "7"})
    assert (settings.workers, settings.max_headers, settings.pickup_folder) == (7, 5, tmp_path / "in")


def test_an_unknown_setting_in_a_file_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("worker = 3\n")
    with pytest.raises(InvalidOptions, match="'worker' there is no such option, did you mean 'workers'"):
        read_settings(tmp_path, environment())


def test_what_is_printed_shows_no_secret() -> None:
    settings = read(odb_url="postgresql://user:the-password@host/zato", redis_url="redis://:the-password@host")
    shown = str(describe_settings(settings)) + repr(settings)
    for secret in ("the-password", "the-token", KEY):
        assert secret not in shown


def test_keys_are_taken_newest_first() -> None:
    older = generate_key()
    assert read(secret_key=f"{KEY}, {older}").secret_keys == (KEY, older)
