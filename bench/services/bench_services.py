"""What the benchmark calls: services as users write them."""

from zato.common.typing_ import list_
from zato.server.service import Float, Integer, Model, Service, dataclass


class Plain(Service):
    """Answers with what it was sent."""

    name = "bench.plain"

    def handle(self):
        self.response.payload = self.request.payload


class TypedOrder(Service):
    """Three inputs, two of them with a type."""

    name = "bench.simple-io"

    class SimpleIO:
        input_required = Integer("order_id"), "customer", Float("amount")
        output_required = "order_id", "total"

    def handle(self):
        self.response.payload.order_id = self.request.input.order_id
        self.response.payload.total = self.request.input.amount * 2


@dataclass(init=False)
class Order(Model):
    order_id: int
    customer: str
    amount: float
    lines: list_[int]


@dataclass(init=False)
class Orders(Model):
    orders: list_[Order]


class ModelledOrders(Service):
    """A model with a list of fifty models in it."""

    name = "bench.model"
    input = Orders

    def handle(self):
        orders = self.request.input.orders
        self.response.payload = {"count": len(orders), "total": sum(order.amount for order in orders)}


class XMLOrder(Service):
    name = "bench.xml"

    def handle(self):
        self.response.payload = {"order_id": str(self.request.payload.find("order_id"))}


class InvokeHundredTimes(Service):
    name = "bench.invoke-100"

    def handle(self):
        for _ in range(100):
            self.invoke("bench.plain", {})
        self.response.payload = {"count": 100}
