"""Output of the function as lines that carry the call id of the invocation that wrote them."""

import codecs
import contextvars
import io
import json
import os
import sys
import threading

# The longest line that leaves the worker, in characters; of a longer one the rest is counted only.
MAX_LINE = 8192
# The number of open lines; beyond it the oldest is flushed.
MAX_OPEN = 1000
LOG_MARK = "\x1e"
# Call id of the request that a spare worker sends to itself; its output is discarded.
REHEARSAL_CALL = "rehearsal"
# The end of an invocation's log that its caller may ask for.
LOG_TAIL_BYTES = 4096

# The id of the invocation that the running code belongs to; None outside invocations.
current_call = contextvars.ContextVar("berth_call", default=None)
# Its `traceparent`; None: there is none.
current_trace = contextvars.ContextVar("berth_trace", default=None)


class Lines(io.BufferedIOBase):
    """The bytes of one stream. Invocations run concurrently, so each has a buffer for its next line."""

    def __init__(self, stream, fd):
        self._stream = stream
        self._fd = fd
        self._open = {}
        self._lock = threading.RLock()

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def write(self, data):
        call = current_call.get()
        size = len(data)
        if call == REHEARSAL_CALL:
            return size
        with self._lock:
            line = self._open.pop(call, None) or OpenLine(current_trace.get())
            *ended, rest = line.decoder.decode(bytes(data)).split("\n")
            out = []
            for text in ended:
                line.add(text)
                out.append(self._format(call, line.trace, line.take()))
            line.add(rest)
            if not line.is_empty:
                self._open[call] = line
                if len(self._open) > MAX_OPEN:
                    self.flush_call(next(iter(self._open)))
            self._emit("".join(out))
        return size

    def flush_call(self, call):
        """Writes the unterminated last line of an invocation that has ended."""
        with self._lock:
            line = self._open.pop(call, None)
            if line is None:
                return
            line.add(line.decoder.decode(b"", True))
            text = line.take()
            if text:
                self._emit(self._format(call, line.trace, text))

    def flush_all(self):
        for call in list(self._open):
            self.flush_call(call)

    def _format(self, call, trace, text):
        tail = _tails.get(call)
        if tail is not None:
            tail += text.encode("utf-8", "replace") + b"\n"
            del tail[:-LOG_TAIL_BYTES]
        line = {"c": call, "s": self._stream, "m": text}
        if trace is not None:
            line["t"] = trace
        return LOG_MARK + json.dumps(line, ensure_ascii=False) + "\n"

    def _emit(self, text):
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[os.write(self._fd, data) :]


class OpenLine:
    """A line that has begun; the decoder keeps the first bytes of a character that was split between writes."""

    def __init__(self, trace):
        self.trace = trace
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._length = 0

    @property
    def is_empty(self):
        return self._length == 0 and not self.decoder.getstate()[0]

    def add(self, text):
        self._length += len(text)
        if len(self._text) <= MAX_LINE:
            self._text += text[: MAX_LINE + 1 - len(self._text)]

    def take(self):
        text, length = self._text, self._length
        self._text, self._length = "", 0
        return text if length <= MAX_LINE else f"{text[:MAX_LINE]}… ({length - MAX_LINE} characters more)"


_lines = []
# The end of what each invocation has written whose caller asks for it, by call id.
_tails = {}


def capture_output():
    """Makes each line that is written through sys.stdout and sys.stderr (print, logging) carry its call id."""
    for name, stream, fd in (("stdout", "out", 1), ("stderr", "err", 2)):
        lines = Lines(stream, fd)
        _lines.append(lines)
        setattr(sys, name, io.TextIOWrapper(lines, encoding="utf-8", errors="backslashreplace", write_through=True))


def flush_output(call):
    for lines in _lines:
        lines.flush_call(call)


def keep_tail(call):
    _tails[call] = bytearray()


def tail_of(call):
    """The end of what the invocation has written so far."""
    flush_output(call)
    return bytes(_tails.get(call, b""))


def drop_tail(call):
    _tails.pop(call, None)


def flush_all():
    for lines in _lines:
        lines.flush_all()
