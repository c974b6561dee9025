"""A function of functions-framework that gets CloudEvents."""

import functions_framework


@functions_framework.cloud_event
def on_event(event):
    print("got", event["type"], event.data)
