"""A function of functions-framework."""

import functions_framework


@functions_framework.http
def hello(request):
    if request.path == "/boom":
        raise RuntimeError("boom")
    return {"path": request.path, "args": request.args.to_dict(), "json": request.get_json(silent=True)}
