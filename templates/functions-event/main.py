def receive(data, context):
    print("received", context.event_id, data)
