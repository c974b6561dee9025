"""A handler's result as a response, by the rules of Node's runtime (runtime-images/node/signatures/lambda-response.ts)."""

import base64
import json


def response_of(result, version):
    """Status, headers and body. Without a statusCode a result of format 2.0 is the body itself, as JSON (a string as it is)."""
    if isinstance(result, dict) and result.get("statusCode") is not None:
        return _structured(result)
    if version == "1.0":
        raise TypeError("the result has no statusCode, which payload format 1.0 requires")
    if isinstance(result, str):
        return 200, [], result.encode()
    return 200, [(b"content-type", b"application/json")], json.dumps(result).encode()


def _structured(result):
    body = result.get("body")
    if result.get("isBase64Encoded"):
        data = base64.b64decode(body or "")
    else:
        data = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {}
    for name, value in (result.get("headers") or {}).items():
        if value is not None:
            headers[name.lower()] = [_text(value)]
    for name, values in (result.get("multiValueHeaders") or {}).items():
        single = headers.get(name.lower(), [])
        every = [_text(value) for value in values or ()]
        headers[name.lower()] = every + [value for value in single if value not in every]
    for cookie in _list(result.get("cookies")):
        headers.setdefault("set-cookie", []).append(str(cookie))
    for framing in ("content-length", "transfer-encoding"):
        headers.pop(framing, None)
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, values in headers.items() for value in values]
    return _status(result["statusCode"]), pairs, data


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def _status(given):
    try:
        status = int(given)
    except (TypeError, ValueError):
        status = 0
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode {json.dumps(given, default=str)} is not a status from 200 to 599")
    return status
