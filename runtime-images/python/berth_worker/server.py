"""HTTP and WebSockets by uvicorn's protocols, without its server: that one ends connections and wakes up ten times a second."""

import asyncio
import socket

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState

# The router closes connections; no timeout here may end one first.
NEVER_S = 10 * 365 * 86_400
MAX_HEAD_BYTES = 65_536
BACKLOG = 1024
# The address that stands for all of a pod, of both families.
ALL_ADDRESSES = "::"


class Http(H11Protocol):
    on_lost = None

    def connection_lost(self, exc):
        super().connection_lost(exc)
        if self.on_lost:
            self.on_lost()


class WebSocket(WSProtocol):
    on_lost = None

    def connection_lost(self, exc):
        super().connection_lost(exc)
        if self.on_lost:
            self.on_lost()


class Connections(set):
    """The open connections; tells of each change."""

    def __init__(self, changed):
        super().__init__()
        self._changed = changed

    def add(self, connection):
        super().add(connection)
        self._changed()

    def discard(self, connection):
        super().discard(connection)
        self._changed()

    def remove(self, connection):
        super().discard(connection)
        self._changed()


async def listen(app, host, connections):
    """Serves an ASGI application on a port of its own; returns the server."""
    config = Config(
        app,
        interface="asgi3",
        http=Http,
        ws=WebSocket,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=NEVER_S,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    config.load()
    state = ServerState()
    state.connections = connections
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Http(config=config, server_state=state, app_state={}),
        sock=_bound(host),
        backlog=BACKLOG,
    )


def own_host(host):
    """An address at which the worker reaches itself."""
    return "127.0.0.1" if host == ALL_ADDRESSES else host


def _bound(host):
    if host != ALL_ADDRESSES:
        return socket.create_server((host, 0), backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("0.0.0.0", 0), backlog=BACKLOG)
