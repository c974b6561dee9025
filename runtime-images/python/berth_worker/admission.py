"""Admission control of one worker, without I/O: a port of runtime-images/protocol/admission.ts, which has the table of phases."""

RUN = "run"
PARK = "park"
FAILED = "failed"
# Refusals, as `x-berth-refused` names them.
STALE = "stale"
FULL = "full"
DRAINING = "draining"

# The number of requests that a worker parks, unread, while its code loads.
PARK_DEPTH = 1024


class Admission:
    def __init__(self):
        self.phase = "spare"
        self.running = 0
        self._own = None
        self._concurrency = 1
        self._parked = 0

    @property
    def assigned(self):
        """True once a load order has named the function."""
        return self.phase != "spare"

    def assign(self, function_uid, revision, concurrency):
        if self.phase != "spare":
            return
        self.phase = "loading"
        self._own = (function_uid, revision)
        self._concurrency = concurrency

    def loaded(self):
        if self.phase == "loading":
            self.phase = "serving"

    def failed(self):
        if self.phase != "draining":
            self.phase = "failed"

    def drain(self):
        self.phase = "draining"

    def admit(self, function_uid, revision, parked=False):
        if parked:
            self._parked -= 1
        own = (function_uid, revision) == self._own
        if self.phase == "draining":
            return DRAINING
        if self.phase == "spare" or (self.phase == "loading" and own):
            return self._park()
        if not own:
            return STALE
        return FAILED if self.phase == "failed" else self._run()

    def finish(self):
        """Frees the place of an invocation. Must be called exactly once for each `RUN`."""
        self.running -= 1

    def unpark(self):
        """Removes a parked request whose client has disconnected."""
        self._parked -= 1

    def _park(self):
        if self._parked >= PARK_DEPTH:
            return FULL
        self._parked += 1
        return PARK

    def _run(self):
        if self.running >= self._concurrency:
            return FULL
        self.running += 1
        return RUN
