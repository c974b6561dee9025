"""The messages about a thrown value: for logs, for clients and for a deployment."""

import os
import sys
import traceback

WORKER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def stack_of(error, root=""):
    """The traceback without the worker's own frames; names of the function's files are relative to its root. Never raises."""
    try:
        return _formatted(error).replace(f'"{root}/', '"') if root else _formatted(error)
    except Exception:
        return "the raised value cannot be described\n"


def frames_of(error, root):
    """The frames of a traceback as text, the innermost last, without the worker's own."""
    return [frame.replace(f'"{root}/', '"') for frame in _without_own(traceback.extract_tb(error.__traceback__)).format()]


def _formatted(error):
    described = traceback.TracebackException.from_exception(error)
    described.stack = _without_own(described.stack)
    return "".join(described.format())


def _without_own(frames):
    return traceback.StackSummary.from_list([frame for frame in frames if not _is_own(frame.filename)])


def summary_of(error):
    """The message without its traceback. Never raises."""
    try:
        return str(error) or type(error).__name__
    except Exception:
        return "the raised value cannot be described"


def place_of(error, root, reason=""):
    """`file:line: Type: message`, with the innermost place in the function's own files, and the traceback below it; `reason` explains the error."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}: "
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename.startswith(root + "/") and "/site-packages/" not in frame.filename]
        if own:
            where = f"{own[-1].filename}:{own[-1].lineno}: "
    where = where.replace(f"{root}/", "")
    message = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else summary_of(error)}"
    explained = f"{reason} ({message})" if reason else message
    return f"{where}{explained}\n\n{stack_of(error, root)}".rstrip()


def log_error(error, root=""):
    """Writes a raised value to the function's log, under the current invocation. Never raises."""
    try:
        sys.stderr.write(stack_of(error, root))
    except Exception:
        pass  # The function broke its own log; the invocation is answered anyway.


def _is_own(filename):
    return filename.startswith(WORKER + os.sep) or filename.startswith("<frozen importlib")
