"""ASGI 3 applications (FastAPI, Starlette, Quart, Django's asgi.py)."""

import urllib.parse

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..lifespan import Lifespan


def asgi_function(app):
    lifespan = Lifespan(app)
    behind_router = behind(app)

    async def function(exchange):
        scope = {**exchange.scope, "state": dict(lifespan.state)}
        await behind_router(scope, exchange.receive, exchange.send)

    function.lifespan = lifespan
    return function


def behind(app):
    """Gives an application the client's address, scheme and path prefix as the router reports them; only routers reach a worker."""

    async def prefixed(scope, receive, send):
        prefix = dict(scope["headers"]).get(b"x-forwarded-prefix", b"").decode("latin-1").rstrip("/")
        if prefix:
            # ASGI's path contains its root_path.
            path = urllib.parse.unquote(prefix)
            scope = {**scope, "root_path": path, "path": path + scope["path"], "raw_path": prefix.encode("latin-1") + scope["raw_path"]}
        await app(scope, receive, send)

    return ProxyHeadersMiddleware(prefixed, trusted_hosts="*")
