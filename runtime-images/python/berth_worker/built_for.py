"""The version of CPython that a function was deployed for: its bytecode and its extension modules are of no use to another one."""

import os
import re
import sys

OWN = "%d.%d" % sys.version_info[:2]
# In names of bytecode and of extension modules. One of the stable ABI has none, and fits every later version.
TAG = re.compile(r"\.cpython-(\d)(\d+)")


def import_fault(error, packages):
    """Why an import fails where `packages` has extension modules for other versions alone; empty: that is not the reason."""
    if not isinstance(error, ImportError):
        return ""
    others = _others(name for _, _, names in os.walk(packages) for name in names if name.endswith(".so"))
    return others and f"the packages of this function were installed for Python {others}, and it runs on {OWN}: deploy it again"


def slow_load(root, entry):
    """Why a function loads slowly whose entry was compiled for other versions alone; empty: it has bytecode, or was never compiled."""
    name = os.path.basename(entry).removesuffix(".py")
    try:
        names = os.listdir(os.path.join(root, os.path.dirname(entry), "__pycache__"))
    except OSError:
        return ""
    others = _others(one for one in names if one.startswith(name + "."))
    return others and f"this function was compiled for Python {others}, and it runs on {OWN}, where it loads slower: deploy it again"


def _others(names):
    versions = {f"{match[1]}.{match[2]}" for match in map(TAG.search, names) if match}
    return "" if OWN in versions else ", ".join(sorted(versions))
