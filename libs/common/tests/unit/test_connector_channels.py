"""What channels of all protocols have."""

from dataclasses import dataclass

from zato.common.connectors.channels import Crew, intake_settings
from zato.common.connectors.intake import IntakeSettings


@dataclass(frozen=True)
class Options:
    service: str = "orders.take"
    data_format: str = "raw"
    tries: int = 3
    retry_after_s: float = 0.5
    timeout_s: float = 7.0
    inbox_s: int = 60


def test_an_intake_does_as_the_options_say_unless_the_protocol_says_otherwise() -> None:
    assert intake_settings(Options(), is_ordered=True, inbox_s=0) == IntakeSettings(
        "orders.take", "raw", tries=3, retry_after_s=0.5, timeout_s=7.0, is_ordered=True, inbox_s=0
    )


def test_a_channel_works_with_one_of_its_members_and_says_why_another_does_not() -> None:
    said: list[tuple[bool, str]] = []
    crew = Crew(2, lambda is_connected, error: said.append((is_connected, error)))
    crew.fares("first", "no such queue")
    crew.fares("first", "")
    crew.fares("second", "nobody listens")
    crew.fares("second", "")
    assert said == [(False, "no such queue"), (True, "it connects"), (True, "nobody listens"), (True, "")]
