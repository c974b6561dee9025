"""WSGI applications (Flask, Django's wsgi.py), in threads."""

import sys

from a2wsgi import WSGIMiddleware

from .asgi import behind

NO_WEBSOCKETS = "the function takes no WebSockets: only ASGI applications do"


def wsgi_function(app, concurrency):
    def with_errors(environ, start_response):
        # a2wsgi passes standard output, whose lines would not count as errors.
        environ["wsgi.errors"] = sys.stderr
        # Frameworks read a body without a Content-Length only if they are told that it has an end.
        environ["wsgi.input_terminated"] = True
        return app(environ, start_response)

    adapted = behind(WSGIMiddleware(with_errors, workers=concurrency))

    async def function(exchange):
        if exchange.is_websocket:
            return await exchange.platform_error(501, "UPGRADE_UNSUPPORTED", NO_WEBSOCKETS)
        held = HeldEnd(exchange.send)
        await adapted(exchange.scope, exchange.receive, held.send)
        await held.release()

    return function


class HeldEnd:
    """
    Holds back the end of a response until the application has returned. A router sends the next request once it has the
    whole response, and the thread that still runs the last lines of this one would have its slot.
    """

    def __init__(self, send):
        self._send = send
        self._left = None
        self._held = []

    async def send(self, message):
        if message["type"] == "http.response.start":
            lengths = [value for name, value in message["headers"] if name == b"content-length" and value.isdigit()]
            self._left = int(lengths[0]) if lengths else None
        elif self._left is not None:
            self._left -= len(message.get("body", b""))
        if self._left is not None and self._left < 0:
            raise ValueError("the body is longer than its content-length")
        is_end = self._left is not None and self._left <= 0
        if message["type"] == "http.response.body" and (self._held or is_end or not message.get("more_body", False)):
            self._held.append(message)
        else:
            await self._send(message)

    async def release(self):
        for message in self._held:
            await self._send(message)
