"""Imports a function's module, and finds its handler and how it is called."""

import ast
import importlib
import importlib.util
import inspect
import os
import sys

from .signatures.asgi import asgi_function
from .signatures.framework import decorated, framework_function
from .signatures.lambda_handler import lambda_function
from .signatures.wsgi import wsgi_function

try:
    from annotationlib import Format

    # From Python 3.14 on, annotations are evaluated when they are read: they may name what only a type checker imports.
    UNEVALUATED = {"annotation_format": Format.FORWARDREF}
except ImportError:
    UNEVALUATED = {}

# Where a deployment puts the packages of requirements.txt, below the function's root.
PACKAGES = "site-packages"

# The attributes that may handle invocations without being named, in order of preference.
NAMES = ("app", "application", "lambda_handler", "handler")

SIGNATURES = ("asgi", "wsgi", "http", "cloud_event", "lambda", "lambda-1.0", "event")


def root_of(order):
    entry = order["settings"]["entry"]
    return order["file"][: -len(entry) - 1] if order["file"].endswith("/" + entry) else os.path.dirname(order["file"])


def load_function(order):
    """
    Returns the function of an order. Raises the module's own error, or one that names what is missing.

    | handler                                                          | signature   |
    |------------------------------------------------------------------|-------------|
    | decorated by `@functions_framework.http`, `.cloud_event`, `.typed` | http        |
    | coroutine function or object with three parameters               | asgi        |
    | `app` or `application`, or a handler that takes `start_response` | wsgi        |
    | `lambda_handler` or `handler`, or a function with two parameters | lambda      |
    | a function with one parameter                                    | http        |
    """
    root, file, settings = root_of(order), order["file"], order["settings"]
    signature, name = settings["signature"], settings["handler"]
    if signature is not None and signature not in SIGNATURES:
        raise ValueError(f'the signature "{signature}" is not one of Python: {", ".join(SIGNATURES)}')
    packages = os.path.join(root, PACKAGES)
    sys.path[:0] = [root, packages]
    if os.path.isdir(packages) and any(one.endswith(".pth") for one in os.listdir(packages)):
        import site

        site.addsitedir(packages)
    target = _decorated(file, name)
    if signature in ("http", "cloud_event", "event") or (signature is None and target):
        name, decorator = target or (name, None)
        return framework_function(name, file, signature or decorator, order)
    module = _module_of(file, root, settings["entry"])
    handler = _handler_of(module, name)
    return _function_of(handler, signature or _signature_of(handler, name), order, file)


def _function_of(handler, signature, order, file):
    if signature == "asgi":
        return asgi_function(handler)
    if signature == "wsgi":
        return wsgi_function(handler, order["settings"]["concurrency"])
    if signature in ("lambda", "lambda-1.0"):
        return lambda_function(handler, order, "1.0" if signature == "lambda-1.0" else "2.0")
    raise ValueError(
        f"{getattr(handler, '__name__', handler)} has one parameter: functions of functions-framework are found by their decorator "
        f"(@functions_framework.http), or deployed with --signature http or cloud_event"
    )


def _decorated(file, name):
    """The function that functions_framework decorates. A source that does not name it is not parsed: that takes a second per megabyte."""
    with open(file, "rb") as source:
        text = source.read()
    return decorated(ast.parse(text, filename=file), name) if b"functions_framework" in text else None


def _module_of(file, root, entry):
    name = entry.removesuffix(".py").replace("/", ".")
    if "." in name:
        return importlib.import_module(name)
    # By its file: the standard library may have a module of the same name that is imported already.
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # A module may put another object in its place.
    return sys.modules[name]


def _handler_of(module, name):
    for one in (name,) if name else NAMES:
        found = getattr(module, one, None)
        if callable(found):
            return found
    wanted = f'no attribute "{name}" that can be called' if name else "no handler"
    public = ", ".join(key for key in vars(module) if not key.startswith("_")) or "nothing"
    raise AttributeError(
        f"{wanted} was found (the module has {public}); name one with --handler, or define app (ASGI or WSGI), "
        f"lambda_handler(event, context), or a function decorated by functions_framework"
    )


def _signature_of(handler, name):
    parameters = _parameters_of(handler)
    is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))
    if is_async and (parameters is None or len(parameters) >= 3):
        return "asgi"
    if not inspect.isroutine(handler) and name not in ("handler", "lambda_handler") and not _is_event_handler(parameters):
        return "wsgi"
    if parameters is None or len(parameters) == 2:
        return "wsgi" if parameters and "start_response" in parameters[1] else "lambda"
    return "http" if len(parameters) == 1 else "lambda"


def _is_event_handler(parameters):
    return parameters is not None and len(parameters) == 2 and parameters[0] == "event"


def _parameters_of(handler):
    try:
        return list(inspect.signature(handler, **UNEVALUATED).parameters)
    except (TypeError, ValueError):
        return None
