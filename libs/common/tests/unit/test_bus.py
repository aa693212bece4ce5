import pytest

from zato.common.bus import MemoryBus
from zato.common.testing.bus_contract import BusContract, Heard


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus()

    def test_a_message_was_heard_when_publish_returns(self, bus: MemoryBus) -> None:
        heard = Heard()
        bus.subscribe("topic", heard)
        bus.publish("topic", "now")
        assert heard == ["", "now"]

    def test_who_is_closed_hears_nothing(self, bus: MemoryBus) -> None:
        heard = Heard()
        bus.subscribe("topic", heard)
        bus.close()
        bus.publish("topic", "too late")
        assert heard == [""]
