"""One request and its response, as the platform sees them: a function cannot set the platform's headers on it."""

import base64
import email.utils
import http
import json
import time

from .errors import summary_of
from .output import current_call, current_trace, drop_tail, keep_tail, tail_of

PREFIX = b"x-berth-"
REFUSED_STATUS = 503
MAX_ERROR_BODY = 4096


class Exchange:
    def __init__(self, scope, receive, send):
        self.scope = scope
        self.receive = receive
        self._send = send
        # The object whose method uvicorn's `send` is: the response of HTTP/1.1, or the connection of a WebSocket.
        self._transport = send.__self__.transport
        self.started = False
        self.ended = False
        self._parked_ms = None
        self._tells_log = False
        # Called once when the response has ended or its connection is lost.
        self.on_end = None
        # Describes an error of the function, given its root, as an object for JSON; None: by its message.
        self.describe_error = None
        self._protocol = self._transport.get_protocol()
        self._protocol.on_lost = self._end

    @property
    def is_websocket(self):
        return self.scope["type"] == "websocket"

    def header(self, name):
        for key, value in self.scope["headers"]:
            if key == name:
                return value.decode("latin-1")
        return None

    def conceal(self, name):
        """Hides a header from the function, since many functions return or log all headers."""
        self.scope["headers"] = [pair for pair in self.scope["headers"] if pair[0] != name]

    def parked_for(self, ms):
        self._parked_ms = f"{ms:.2f}".encode()

    def tell_log(self):
        """Answers with the end of what the invocation writes."""
        if self.ended:
            return
        self._tells_log = True
        keep_tail(call_of(self))

    def tell_running(self):
        """For the router a 102 response ends loadTimeout and begins timeout. uvicorn sends none, so it is written beside it."""
        self._transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    async def send(self, message):
        """Sends what the function answers."""
        kind = message["type"]
        if kind.endswith(".start") or kind == "websocket.accept":
            message = {**message, "headers": self._guarded(message.get("headers") or ())}
        await self._send(message)
        self.started = True
        if kind.endswith(".response.body") and not message.get("more_body", False):
            self._end()

    async def refuse(self, why):
        await self._answer(REFUSED_STATUS, [(b"x-berth-refused", why.encode())], b"")

    async def platform_error(self, status, code, message):
        """Answers with an error of the platform, or with one that the function's code raised."""
        await self._error(status, code, {"error": {"code": code, "message": message[:MAX_ERROR_BODY]}})

    async def function_error(self, error, root):
        """Answers with what the function has raised."""
        if self.describe_error is None:
            return await self.platform_error(500, "FUNCTION_ERROR", summary_of(error))
        await self._error(500, "FUNCTION_ERROR", self.describe_error(error, root))

    async def _error(self, status, code, content):
        if self.ended:
            return
        if self.started:
            return self.abort()
        body = json.dumps(content).encode()
        headers = [(b"x-berth-error", code.encode()), (b"content-type", b"application/json")]
        try:
            await self._answer(status, headers, body)
        except Exception:
            # The function's head was invalid, and uvicorn takes no other one: the response is written beside it.
            self._write_raw(status, headers, body)

    async def _answer(self, status, headers, body):
        kind = "websocket.http.response" if self.is_websocket else "http.response"
        headers = self._ours() + headers + [(b"content-length", str(len(body)).encode())]
        # Its process may be killed at any moment: a client gets the whole answer or nothing, which may be sent again.
        sender = self._send.__self__
        sender.transport = joined = Joined(self._transport)
        try:
            await self._send({"type": f"{kind}.start", "status": status, "headers": headers})
            self.started = True
            await self._send({"type": f"{kind}.body", "body": body})
        finally:
            joined.flush()
            sender.transport = self._transport
        self._end()

    def _write_raw(self, status, headers, body):
        head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n".encode()
        headers = self._ours() + headers + [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        self._transport.write(head + b"".join(b"%s: %s\r\n" % pair for pair in headers) + b"\r\n" + body)
        self._transport.close()
        self._end()

    def abort(self):
        # uvicorn adds no response of its own.
        self._send.__self__.disconnected = True
        self._transport.abort()
        self._end()

    def _end(self):
        if self.ended:
            return
        self.ended = True
        self._protocol.on_lost = None
        if self._tells_log:
            drop_tail(call_of(self))
        if self.on_end:
            self.on_end()

    def _guarded(self, headers):
        kept = [(bytes(name), bytes(value)) for name, value in headers if not bytes(name).lower().startswith(PREFIX)]
        is_dated = any(name.lower() == b"date" for name, _ in kept)
        return kept + [pair for pair in self._ours() if not (is_dated and pair[0] == b"date")]

    def _ours(self):
        ours = [(b"date", _date())]
        if self._parked_ms is not None:
            ours.append((b"x-berth-parked", self._parked_ms))
        if self._tells_log:
            ours.append((b"x-berth-log", base64.b64encode(tail_of(call_of(self)))))
        return ours


class Joined:
    """A transport that writes everything at once, when it is flushed or closed."""

    def __init__(self, transport):
        self._transport = transport
        self._parts = []

    def write(self, data):
        self._parts.append(data)

    def flush(self):
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts = []

    def close(self):
        self.flush()
        self._transport.close()

    def __getattr__(self, name):
        return getattr(self._transport, name)


def call_of(exchange):
    return exchange.header(b"x-call-id") or ""


def enter(exchange):
    """Makes the running task belong to an invocation; returns its call id."""
    call = call_of(exchange)
    current_call.set(call)
    current_trace.set(exchange.header(b"traceparent"))
    return call


_latest = (0, b"")


def _date():
    global _latest
    now = int(time.time())
    if now != _latest[0]:
        _latest = (now, email.utils.formatdate(now, usegmt=True).encode())
    return _latest[1]
