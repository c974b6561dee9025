"""AWS Lambda's `lambda_handler(event, context)`, in a thread if it is not a coroutine function."""

import asyncio
import inspect
import json
import os
import time

from .lambda_event import to_event, to_event_v1
from .lambda_payload import payload_of, thrown
from .lambda_response import response_of
from .wsgi import NO_WEBSOCKETS


def lambda_function(handler, order, version):
    event_of = to_event_v1 if version == "1.0" else to_event
    is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))

    async def function(exchange):
        if exchange.is_websocket:
            return await exchange.platform_error(501, "UPGRADE_UNSUPPORTED", NO_WEBSOCKETS)
        context = Context(order, exchange.header(b"x-call-id") or "")
        body = await _body_of(exchange)
        asked = exchange.header(b"x-berth-event")
        is_payload = asked is not None
        if asked == "log":
            exchange.tell_log()
        if is_payload:
            exchange.describe_error = lambda error, root: thrown(error, root, context.aws_request_id)
            try:
                event = json.loads(body or b"{}")
            except ValueError as error:
                return await exchange.platform_error(400, "PAYLOAD_INVALID", f"the payload is not JSON: {error}")
        else:
            event = event_of(exchange, body, context.aws_request_id)
        result = await (handler(event, context) if is_async else asyncio.to_thread(handler, event, context))
        status, headers, body = payload_of(result) if is_payload else response_of(result, version)
        headers.append((b"content-length", str(len(body)).encode()))
        await exchange.send({"type": "http.response.start", "status": status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": body})

    return function


async def _body_of(exchange):
    body = bytearray()
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the request ended before its body")
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


class Context:
    """The context that Lambda's runtime for Python passes to a handler: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    identity = None
    client_context = None

    def __init__(self, order, call):
        self.function_name = order["functionName"]
        self.function_version = order["revision"]
        self.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{self.function_name}"
        memory = (order["settings"].get("resources") or {}).get("memoryBytes")
        self.memory_limit_in_mb = str(round(memory / 2**20)) if memory else os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
        self.aws_request_id = call
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = self.function_version
        self._deadline = time.monotonic() + order["settings"]["timeoutMs"] / 1000

    def get_remaining_time_in_millis(self):
        return max(0, round((self._deadline - time.monotonic()) * 1000))

    def log(self, message):
        print(message, end="")
