"""The rehearsal of a spare worker: before it is ready, it loads a function the way it will load the user's, and invokes it once."""

import asyncio
import gc
import os
import sys

# Modules that most functions import.
COMMON = (
    "base64 collections contextlib copy dataclasses datetime decimal email.message enum functools hashlib hmac html http.client "
    "http.cookies importlib.metadata inspect io itertools json logging mimetypes pathlib random re secrets string tempfile textwrap "
    "threading time traceback typing urllib.parse urllib.request uuid zlib"
).split()

MODULE = """
import json

def lambda_handler(event, context):
    print(event["queryStringParameters"]["name"] + json.loads(event["body"])["name"])
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps({"message": event["body"]})}
"""

REQUEST = b'POST /?name=a HTTP/1.1\r\nhost: rehearsal\r\nx-call-id: rehearsal\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"name":"b"}'


def rehearsal_order(directory):
    """Writes the function that a spare worker rehearses with; returns the order to load it."""
    file = os.path.join(directory, "rehearsal.py")
    with open(file, "w", encoding="utf-8") as module:
        module.write(MODULE)
    settings = {"entry": "rehearsal.py", "handler": None, "signature": None, "concurrency": 1, "timeoutMs": 1000}
    return {"file": file, "functionName": "rehearsal", "revision": "", "settings": settings, "env": {}}


def import_common():
    for name in COMMON:
        __import__(name)


async def request_itself(host, port):
    """Sends one request to the worker itself; returns when it has been answered or has failed."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(REQUEST)
        await reader.read()
        writer.close()
    except OSError:
        pass


def forget(directory, path):
    """Leaves nothing of the rehearsal for the function to find, and its objects out of later collections."""
    sys.modules.pop("rehearsal", None)
    sys.path[:] = path
    os.unlink(os.path.join(directory, "rehearsal.py"))
    gc.collect()
    gc.freeze()
