"""A worker: serves one function. Checks each request before user code runs and before the body is read."""

import asyncio
import concurrent.futures
import os
import signal
import sys
import threading

from . import built_for
from .admission import Admission
from .channel import Channel
from .errors import place_of
from .exchange import enter
from .gate import Gate
from .isolation import isolate
from .load import PACKAGES, load_function, root_of
from .output import capture_output, flush_all
from .rehearsal import forget, import_common, rehearsal_order, request_itself
from .server import Connections, listen, own_host

# How long a draining worker without connections still listens: a router that does not know of the drain yet may open one, and must get a refusal.
LEAVE_S = 0.3
# How long a function may take to clean up.
TERM_GRACE_S = 2
# Rounds of the event loop in which connections that the kernel has are accepted.
ACCEPTING = 5


class Worker:
    def __init__(self, loop):
        self._loop = loop
        self.admission = Admission()
        self.key = None
        self.function = None
        self.load_error = ""
        self.root = ""
        self.timeout_s = 30.0
        self.rehearsal = None
        # The exit code of the worker; None: it continues.
        self.exit_code = None
        self._order = None
        self._connections = Connections(self._leave_when_unused)
        self._gate = Gate(self)
        self._ailing = False
        self._answered = False
        self._leaving = None
        self._left = False
        self._terminated = False
        self._channel = Channel(loop, self._take, lambda: os._exit(0))

    async def start(self):
        host = os.environ.get("BERTH_HOST", "127.0.0.1")
        server = await listen(self._gate, host, self._connections)
        port = server.sockets[0].getsockname()[1]
        directory = os.environ.pop("BERTH_REHEARSAL", None)
        if directory:
            await self._rehearse(directory, own_host(host), port)
        isolate()
        self._channel.send(type="ready", port=port)
        self._channel.listen()

    def step(self):
        """Does what must not run inside of the event loop. Modules may start one of their own while they are imported."""
        order, self._order = self._order, None
        if order is None:
            return
        settings = order["settings"]
        self.admission.assign(order["functionUid"], order["revision"], settings["concurrency"])
        self.timeout_s = settings["timeoutMs"] / 1000
        self.key = order["key"]
        self.root = root_of(order)
        self._loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(settings["concurrency"], "invocation"))
        os.environ.update(order["env"])
        slower = built_for.slow_load(self.root, settings["entry"])
        if slower:
            print(slower, file=sys.stderr)
        try:
            function = load_function(order)
        except BaseException as error:
            self._failed(error)
        else:
            self._loop.create_task(self._begin(function))
        asyncio.set_event_loop(self._loop)

    async def _begin(self, function):
        try:
            lifespan = getattr(function, "lifespan", None)
            if lifespan:
                await lifespan.startup()
        except Exception as error:
            return self._failed(error)
        self.function = function
        self.admission.loaded()
        self._channel.send(type="loaded")
        self._gate.release()

    def _failed(self, error):
        self.load_error = place_of(error, self.root, built_for.import_fault(error, os.path.join(self.root, PACKAGES)))
        self.admission.failed()
        self._loop.create_task(self._tell_failure())

    async def _tell_failure(self):
        # Waiting requests are answered first: once the failure is known, the process may be killed.
        await self._gate.answer()
        self._channel.send(type="loadFailed", message=self.load_error)

    def finish(self, well):
        if well:
            self._report_answered()
        self.admission.finish()
        self._leave_when_unused()

    def _report_answered(self):
        """Reports the first answer at once, before any later invocation can end the process."""
        if not self._answered:
            self._answered = True
            self._channel.send(type="answered")

    def ail(self, message):
        """Accepts no further invocation, and ends the process when the running ones have ended, at the latest after their timeout."""
        if self._ailing:
            return
        self._ailing = True
        # Only an invocation whose response has ended makes it ail: the code as such is not at fault.
        self._report_answered()
        self._channel.send(type="ailing", message=message, deadlineMs=round(self.timeout_s * 1000))
        self._loop.call_later(self.timeout_s, self._leave, 1)
        self._drain()

    def quit(self, error):
        """Ends the process as the function asked by `sys.exit`."""
        code = error.code
        self.exit_code = 0 if code is None else code if isinstance(code, int) else 1
        self._loop.stop()

    def _take(self, message):
        kind = message["type"]
        if kind == "load":
            self._order = message
            self._loop.stop()
        elif kind == "drain":
            self._drain()
        elif kind == "terminate":
            self._terminate()

    def _drain(self):
        self.admission.drain()
        self._gate.release()
        self._leave_when_unused()

    @property
    def _is_unused(self):
        drains = self.admission.phase == "draining"
        return drains and self.admission.running == 0 and (not self._connections or self._ailing)

    def _leave_when_unused(self):
        """Ends a draining worker once its connections are closed, which is the router's task."""
        if self._leaving:
            self._leaving.cancel()
            self._leaving = None
        if self._is_unused:
            self._leaving = self._loop.call_later(LEAVE_S, lambda: self._loop.create_task(self._leave_if_unused()))

    async def _leave_if_unused(self):
        # Exiting resets connections that are not accepted yet, so they are accepted right before, and any of them cancels the exit.
        for _ in range(ACCEPTING):
            await asyncio.sleep(0)
        if self._is_unused:
            self._leave(0)

    def _leave(self, code):
        """Ends the process after the function's own cleanup: its lifespan, its handler of SIGTERM, and what `atexit` calls."""
        if self._left:
            return
        self._left = True
        self._loop.create_task(self._clean_up(code))

    async def _clean_up(self, code):
        watch(code)
        lifespan = getattr(self.function, "lifespan", None)
        if lifespan:
            await lifespan.shutdown()
        self._terminate()
        self.exit_code = code
        self._loop.stop()

    def _terminate(self):
        """Sends SIGTERM to the function, once, if it handles it: its process is about to end."""
        if self._terminated:
            return
        self._terminated = True
        if callable(signal.getsignal(signal.SIGTERM)):
            signal.raise_signal(signal.SIGTERM)

    async def _rehearse(self, directory, host, port):
        import_common()
        path = list(sys.path)
        function = load_function(rehearsal_order(directory))

        async def rehearsal(exchange):
            enter(exchange)
            await function(exchange)

        self.rehearsal = rehearsal
        await request_itself(host, port)
        self.rehearsal = None
        forget(directory, path)


def watch(code):
    """Ends the process after a grace period, whatever still runs in it."""
    timer = threading.Timer(TERM_GRACE_S, os._exit, (code,))
    timer.daemon = True
    timer.start()


def run():
    """Runs a worker to its end; returns its exit code."""
    capture_output()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(loop)
    loop.run_until_complete(worker.start())
    try:
        while worker.exit_code is None:
            # First, since an order may have arrived while the worker started.
            worker.step()
            loop.run_forever()
        code = worker.exit_code
    except SystemExit as error:
        worker.quit(error)
        code = worker.exit_code
    flush_all()
    watch(code)
    return code
