"""Keeps the worker's own libraries from functions, which may bring other versions of the same."""

import os
import sys

from .errors import WORKER


def isolate():
    """The worker goes on with the modules that it has imported; a function that imports them finds its own, or none."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.startswith(os.path.join(WORKER, "site-packages") + os.sep):
            del sys.modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(WORKER)]
