from typing import Annotated, Any

from fastapi import Body, FastAPI
from pydantic import BaseModel

application = FastAPI()


class TypedOrder(BaseModel):
    order_id: int
    customer: str
    amount: float


class Order(TypedOrder):
    lines: list[int]


class Orders(BaseModel):
    orders: list[Order]


@application.post("/plain")
async def plain(body: Annotated[dict[str, Any], Body()]):
    return body


@application.post("/simple-io")
async def simple_io(order: TypedOrder):
    return {"order_id": order.order_id, "total": order.amount * 2}


@application.post("/model")
async def model(orders: Orders):
    return {"count": len(orders.orders), "total": sum(order.amount for order in orders.orders)}
