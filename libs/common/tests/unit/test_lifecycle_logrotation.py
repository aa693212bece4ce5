"""A large log is put aside, and so many of those are kept."""

from pathlib import Path

from zato.common.lifecycle.logrotation import rotate_if_large


def test_a_large_log_is_put_aside_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    for number in range(4):
        log.write_text(f"{number}" * 100)
        rotate_if_large(log, large_bytes=100, kept=2)
    assert {file.name: file.read_text()[0] for file in tmp_path.iterdir()} == {"server.log.1": "3", "server.log.2": "2"}


def test_a_small_log_and_one_that_is_not_there_stay_as_they_are(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    rotate_if_large(log, large_bytes=100)
    assert not list(tmp_path.iterdir())
    log.write_text("x" * 99)
    rotate_if_large(log, large_bytes=100)
    assert [file.name for file in tmp_path.iterdir()] == ["server.log"]
