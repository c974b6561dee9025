"""The way of a request before and after user code: admission, parking, run, errors. It is the ASGI application that uvicorn serves."""

import asyncio
import time

from . import admission
from .errors import log_error
from .exchange import Exchange, enter
from .output import flush_output

# How long a request waits on a worker that receives no load order.
SPARE_PARK_S = 15
# How long clients may take to receive the responses to what has waited.
ANSWER_S = 1


class Gate:
    def __init__(self, worker):
        self._worker = worker
        self._admission = worker.admission
        # The task of each parked request, by what it waits for.
        self._waiting = {}

    async def __call__(self, scope, receive, send):
        exchange = Exchange(scope, receive, send)
        if self._worker.rehearsal:
            return await self._worker.rehearsal(exchange)
        admit = self._check(exchange)
        if admit == admission.PARK:
            admit = await self._park(exchange)
        if admit == admission.RUN:
            await self._run(exchange)
        elif admit == admission.FAILED:
            await exchange.platform_error(502, "FUNCTION_LOAD_FAILED", self._worker.load_error)
        elif admit is not None:
            await exchange.refuse(admit)

    def release(self):
        """Checks each parked request once more."""
        for waiter in self._waiting:
            _resolve(waiter, "checked")

    async def answer(self):
        """Answers the parked requests, none of which will run. Returns when their responses have been written, or after `ANSWER_S`."""
        tasks = set(self._waiting.values())
        self.release()
        if tasks:
            await asyncio.wait(tasks, timeout=ANSWER_S)

    def _check(self, exchange, parked=False):
        given, key = exchange.header(b"x-berth-key"), self._worker.key
        # Only routers have an instance's key; a request without it is refused like one for another function.
        if key is not None and given != key:
            return self._admission.admit("", "", parked)
        admit = self._admission.admit(exchange.header(b"x-berth-function"), exchange.header(b"x-berth-revision"), parked)
        if admit == admission.RUN and given is not None:
            exchange.conceal(b"x-berth-key")
        return admit

    async def _park(self, exchange):
        """Waits, with the request unread, until its admission changes; None: its client has disconnected."""
        loop = asyncio.get_running_loop()
        since = time.perf_counter()
        while True:
            waiter = loop.create_future()
            self._waiting[waiter] = asyncio.current_task()
            exchange.on_end = lambda: _resolve(waiter, "gone")
            late = loop.call_later(SPARE_PARK_S, lambda: self._admission.assigned or _resolve(waiter, "late"))
            outcome = await waiter
            del self._waiting[waiter]
            late.cancel()
            exchange.on_end = None
            if outcome != "checked" or exchange.ended:
                self._admission.unpark()
                return None if exchange.ended else admission.STALE
            exchange.parked_for((time.perf_counter() - since) * 1000)
            admit = self._check(exchange, parked=True)
            if admit == admission.RUN:
                exchange.tell_running()
            if admit != admission.PARK:
                return admit

    async def _run(self, exchange):
        """Runs one invocation, and follows it to its end: the application has returned, or has outlived its response for too long."""
        call = enter(exchange)
        run = Run(self._worker, call)
        exchange.on_end = run.response_ended
        if exchange.ended:
            run.response_ended()
        try:
            await self._worker.function(exchange)
        except SystemExit as error:
            run.well = False
            exchange.abort()
            self._worker.quit(error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            run.well = False
            if not exchange.ended or not _is_disconnect(error):
                log_error(error, self._worker.root)
            await exchange.function_error(error, self._worker.root)
        else:
            if not exchange.started and not exchange.ended:
                await exchange.platform_error(500, "FUNCTION_ERROR", "the application returned without a response")
        finally:
            run.settle()


class Run:
    def __init__(self, worker, call):
        self.well = True
        self._worker = worker
        self._call = call
        self._settled = False
        self._giving_up = None

    def response_ended(self):
        if not self._settled:
            self._giving_up = asyncio.get_running_loop().call_later(self._worker.timeout_s, self._give_up)

    def settle(self):
        if self._settled:
            return
        self._settled = True
        if self._giving_up:
            self._giving_up.cancel()
        flush_output(self._call)
        self._worker.finish(self.well)

    def _give_up(self):
        ms = round(self._worker.timeout_s * 1000)
        message = f"an invocation went on for {ms} ms (timeout) after its response had ended"
        log_error(Outlived(message))
        self.well = False
        self._worker.ail(message)
        self.settle()


class Outlived(Exception):
    """An invocation whose response has ended goes on; only a new process frees what it holds."""


def _is_disconnect(error):
    """Whether an application noticed that its client is gone."""
    return type(error).__name__ in ("ClientDisconnected", "ClientDisconnect", "ConnectionResetError", "BrokenPipeError")


def _resolve(waiter, outcome):
    if not waiter.done():
        waiter.set_result(outcome)
