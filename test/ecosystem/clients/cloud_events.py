"""Sends a CloudEvent in both modes with the SDK for Python; prints the statuses."""

import sys
import urllib.request

from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

for number, convert in enumerate((to_binary, to_structured)):
    attributes = {"id": f"py-{number}", "source": "/python", "type": "made", "subject": "Ü", "datacontenttype": "application/json"}
    message = convert(CloudEvent({**attributes, "specversion": "1.0"}, {"n": number}), JSONFormat())
    body = message.body if isinstance(message.body, bytes) else message.body.encode()
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, dict(message.headers))).status)
