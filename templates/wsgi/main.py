import json
from urllib.parse import parse_qs


def app(environ, start_response):
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["world"])[0]
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"hello": name}).encode()]
