"""A handler's answer to an event that a client of Lambda's API has sent: the result itself, or the exception that it has raised."""

import json

from ..errors import frames_of, summary_of

# The longest message, in characters, and the number of frames.
MAX_TEXT = 4096
MAX_FRAMES = 20


def payload_of(result):
    """Status, headers and body: the result as JSON, whatever fields it has."""
    return 200, [(b"content-type", b"application/json")], json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")


def thrown(error, root, call):
    """An exception that a handler has raised, in the form of Lambda's runtime for Python."""
    return {
        "errorMessage": summary_of(error)[:MAX_TEXT],
        "errorType": type(error).__name__,
        "requestId": call,
        "stackTrace": [frame[:MAX_TEXT] for frame in frames_of(error, root)[-MAX_FRAMES:]],
    }
