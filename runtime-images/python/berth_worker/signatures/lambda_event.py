"""A request as an event of API Gateway, the same as Node's runtime makes of it (runtime-images/node/signatures/lambda-event.ts)."""

import base64
import re
import time
import urllib.parse

# Media types whose bodies API Gateway passes as text.
TEXT = re.compile(r"(text/|application/(json|xml|javascript|x-www-form-urlencoded)\b)|.*\+(json|xml)\b", re.IGNORECASE)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_event(exchange, body, call):
    """Payload format 2.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
    scope = exchange.scope
    path, query = _split(scope)
    headers = _joined(scope)
    host = headers.get("host", "")
    text, is_base64 = _text_of(body, headers)
    epoch, clf = _now()
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "berth",
            "domainName": host,
            "domainPrefix": host.split(".")[0],
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": _source_of(headers),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": call,
            "routeKey": "$default",
            "stage": "$default",
            "time": clf,
            "timeEpoch": epoch,
        },
        "isBase64Encoded": is_base64,
    }
    if "cookie" in headers:
        event["cookies"] = [cookie.strip() for cookie in headers["cookie"].split(";")]
    parameters = {}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    if parameters:
        event["queryStringParameters"] = parameters
    if body:
        event["body"] = text
    return event


def to_event_v1(exchange, body, call):
    """Payload format 1.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""
    scope = exchange.scope
    path, query = _split(scope)
    headers = _all((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    parameters = _all(urllib.parse.parse_qsl(query, keep_blank_values=True)) if query else None
    joined = _joined(scope)
    host = joined.get("host", "")
    text, is_base64 = _text_of(body, joined)
    epoch, clf = _now()
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": scope["method"],
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": parameters and _last(parameters),
        "multiValueQueryStringParameters": parameters,
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "berth",
            "authorizer": None,
            "domainName": host,
            "domainPrefix": host.split(".")[0],
            "extendedRequestId": call,
            "httpMethod": scope["method"],
            "identity": {**NOBODY, "sourceIp": _source_of(joined), "userAgent": joined.get("user-agent")},
            "path": path,
            "protocol": f"HTTP/{scope['http_version']}",
            "requestId": call,
            "requestTime": clf,
            "requestTimeEpoch": epoch,
            "resourceId": None,
            "resourcePath": "/{proxy+}",
            "stage": "$default",
        },
        "body": text if body else None,
        "isBase64Encoded": is_base64,
    }


NOBODY = dict.fromkeys(
    (
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    )
)


def _split(scope):
    """The path and the query as they were sent."""
    return scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")


def _joined(scope):
    headers = {}
    for name, value in scope["headers"]:
        name, value = name.decode("latin-1"), value.decode("latin-1")
        between = "; " if name == "cookie" else ", "
        headers[name] = headers[name] + between + value if name in headers else value
    return headers


def _all(pairs):
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _last(values):
    return {name: every[-1] for name, every in values.items()}


def _source_of(headers):
    """The client's address. It is the first entry, because routers leave nothing in the list that they do not believe."""
    return headers.get("x-forwarded-for", "").split(",")[0].strip()


def _text_of(body, headers):
    """The body as a string, and whether that is base64: bytes that are not UTF-8 or have a content coding would be lost as text."""
    if not body:
        return "", False
    if headers.get("content-encoding", "identity").lower() == "identity" and TEXT.match(headers.get("content-type", "text/plain")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _now():
    now = time.time()
    at = time.gmtime(now)
    return int(now * 1000), f"{at.tm_mday:02}/{MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
