import pytest

from zato.common.errors import ZatoError
from zato.server.commands.charts import bar, sparkline
from zato.server.commands.statistics import seconds


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 10, ""),
        ([0, 0], 10, "  "),
        ([0, 1, 4, 8], 10, " ▂▅█"),
        ([5], 10, "█"),
        ([1, 0, 0, 0, 0, 8], 3, "▂ █"),
        ([1e-9, 1e9], 10, "▁█"),
    ],
)
def test_a_line_is_as_high_as_its_numbers(values: list[float], width: int, line: str) -> None:
    assert sparkline(values, width) == line


def test_a_long_line_keeps_its_width_and_its_peaks() -> None:
    values = [0.0] * 1000
    values[777] = 5
    line = sparkline(values, 40)
    assert (len(line), line.count("█"), line.index("█")) == (40, 1, 31)


@pytest.mark.parametrize(("percent", "shown"), [(0, "░░░░"), (50, "██░░"), (100, "████"), (250, "████"), (-1, "░░░░")])
def test_a_bar_is_full_at_a_hundred(percent: float, shown: str) -> None:
    assert bar(percent, 4) == shown


def test_a_time_has_a_unit() -> None:
    assert [seconds(text) for text in ("90s", "5m", "1h", "7d")] == [90, 300, 3600, 604_800]
    for text in ("", "h", "0h", "5", "5w", "-5m"):
        with pytest.raises(ZatoError, match="--last"):
            seconds(text)
