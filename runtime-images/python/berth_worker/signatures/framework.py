"""Functions of Google's functions-framework: the framework itself, which the function brings, turns them into a WSGI application."""

import ast

from .wsgi import wsgi_function

DECORATORS = ("http", "cloud_event", "typed")
TYPES = {"http": "http", "cloud_event": "cloudevent", "event": "event"}


def decorated(tree, name):
    """
    The last top-level function that functions_framework decorates, or `name` alone if it is one, and its decorator; None:
    there is none.
    """
    found = None
    decorators = {f"functions_framework.{one}": one for one in DECORATORS} | {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "functions_framework"
        for alias in node.names
        if alias.name in DECORATORS
    }
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or (name is not None and node.name != name):
            continue
        for decorator in node.decorator_list:
            text = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if text in decorators:
                found = node.name, decorators[text]
    return found


def framework_function(name, file, signature, order):
    """`signature`: that of the settings, or the decorator."""
    if name is None:
        raise ValueError(f'the signature "{signature}" needs the name of a function: decorate it with functions_framework, or name it with --handler')
    try:
        import functions_framework
    except ModuleNotFoundError as error:
        if error.name != "functions_framework":
            raise
        raise ModuleNotFoundError("the package functions-framework is missing: add it to requirements.txt", name=error.name) from None
    app = functions_framework.create_app(name, file, TYPES.get(signature, "http"))
    function = wsgi_function(app, order["settings"]["concurrency"])
    return without_batches(function) if signature in ("cloud_event", "event") else function


def without_batches(function):
    """Refuses batches of CloudEvents, for which the framework answers 500."""

    async def one_event(exchange):
        kind = (exchange.header(b"content-type") or "").split(";")[0].strip().lower()
        if kind == "application/cloudevents-batch+json":
            return await exchange.platform_error(415, "EVENT_BATCHED", "the body is a batch of CloudEvents")
        await function(exchange)

    return one_event
