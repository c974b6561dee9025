"""A typed function of functions-framework: its parameter is made of the body, and the body of its result."""

from dataclasses import asdict, dataclass

import functions_framework


@dataclass
class Order:
    name: str
    count: int

    @staticmethod
    def from_dict(content):
        return Order(content["name"], int(content.get("count", 1)))

    def to_dict(self):
        return asdict(self)


@functions_framework.typed
def double(order: Order):
    if order.name == "boom":
        raise RuntimeError("boom")
    if order.name == "nothing":
        return None
    if order.name == "text":
        return "text"
    return Order(order.name, 2 * order.count)
