import functions_framework


@functions_framework.cloud_event
def receive(event):
    print("received", event["id"], event.data)
