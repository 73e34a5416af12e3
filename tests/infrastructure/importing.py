"""Run by path inside a bundle, with nothing else on `sys.path`: every import that the handler can ever run is run.

Usage: python -I -S importing.py BUNDLE HANDLER_MODULE SERVICE…   Prints JSON: {"started": […], …}

Imports inside functions are run like the others. `started`: the modules that the handler itself loads when it is
imported; `own`: the files of the bundle's own packages that were reached; `outside`: files of modules that are neither
the bundle's nor Python's. No AWS client may be made meanwhile.
"""

import ast
import importlib
import json
import sys
import sysconfig
from pathlib import Path
from unittest.mock import patch

BUNDLE = Path(sys.argv[1]).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(BUNDLE))


class _NotForTypeCheckers(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(child) for child in node.orelse]
        return self.generic_visit(node)


def _files() -> dict[str, Path]:
    """The modules that are loaded, with their files."""
    found = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    files = {name: Path(file).resolve() for name, file in found.items() if file}
    return {name: file for name, file in files.items() if file != Path(__file__).resolve()}


def _own() -> dict[str, Path]:
    """The loaded modules of the bundle's own packages."""
    return {name: file for name, file in _files().items() if name.split(".")[0] in ("functions", "video_production")}


def _run_imports(file: Path, module: str) -> None:
    tree = _NotForTypeCheckers().visit(ast.parse(file.read_text()))
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__":
            statement = ast.Module([node], [])
            exec(compile(statement, str(file), "exec"), {"__package__": package, "__name__": module})


def _too_early(_: object, service: str, **__: object) -> None:
    raise AssertionError(f"a client of {service} is made while the handler is imported")


def main() -> None:
    session = importlib.import_module("botocore.session").Session
    with patch.object(session, "create_client", _too_early):
        importlib.import_module(sys.argv[2])
    started = sorted(sys.modules)
    done: set[str] = set()
    while waiting := {name: file for name, file in _own().items() if name not in done}:
        for name, file in waiting.items():
            _run_imports(file, name)
            done.add(name)
    for service in sys.argv[3:]:
        session().create_client(service)
    python = Path(sysconfig.get_path("stdlib")).resolve()
    elsewhere = [file for file in _files().values() if not file.is_relative_to(BUNDLE)]
    outside = sorted(str(file) for file in elsewhere if not file.is_relative_to(python))
    own = sorted(str(file.relative_to(BUNDLE)) for file in _own().values())
    print(json.dumps({"started": started, "own": own, "outside": outside}))


main()
