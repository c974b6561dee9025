"""The lifespan of an ASGI application: https://asgi.readthedocs.io/en/latest/specs/lifespan.html"""

import asyncio


class Lifespan:
    def __init__(self, app):
        self._app = app
        self._inbox = asyncio.Queue()
        self._answer = None
        self._task = None
        # The state that the application keeps for its requests; each gets a shallow copy.
        self.state = {}

    async def startup(self):
        """Raises what the application raises or says when it cannot start. One that does not know of lifespans is taken as started."""
        self._task = asyncio.create_task(self._run())
        message = await self._ask("lifespan.startup")
        if message and message["type"] == "lifespan.startup.failed":
            raise RuntimeError(message.get("message") or "the application's startup failed")

    async def shutdown(self):
        if self._task and not self._task.done():
            await self._ask("lifespan.shutdown")

    async def _ask(self, kind):
        self._answer = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait({"type": kind})
        await asyncio.wait({self._task, self._answer}, return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer.done() else None

    async def _run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._inbox.get, self._send)
        except Exception:
            # As uvicorn takes it by default: the application does not support lifespans.
            self.state.clear()

    async def _send(self, message):
        if not self._answer.done():
            self._answer.set_result(message)
