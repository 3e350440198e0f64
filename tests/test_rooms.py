"""The rooms of the house, CONTRIBUTING.md: each may import from those before it in this list, and there are no cycles.

Imports are read from the source, those inside functions and for type checking too.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

ROOMS = [
    ("errors", "files", "jit", "parallel", "progress", "machine", "options", "arrays"),
    ("ssm",),
    ("training",),
    ("music",),
    ("video_io",),
    ("skeleton",),
    ("renderer",),
    ("person",),
    ("characters",),
    ("datasets",),
    ("builder",),
    ("limb_warp",),
    ("body",),
    ("music_to_skeleton",),
    ("skeleton_to_video",),
    ("subject",),
    ("pipeline",),
    ("evaluation",),
    ("bench",),
    ("info",),
    ("stgmamba",),
    ("cli",),
    ("__main__",),
]
"""From the first to the last; those of one entry are one room.

``stgmamba`` is the package itself, which gathers what users import.
"""

RANK = {name: rank for rank, names in enumerate(ROOMS) for name in names}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """Modules of ours that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else str(node.module))
    return {name for name in found if name in MODULES and name != module}


def room_of(module: str) -> str:
    return module.removeprefix("stgmamba.").split(".")[0]


def test_every_module_has_a_room() -> None:
    assert {room_of(module) for module in MODULES} == set(RANK)


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_only_from_rooms_before_them(module: str) -> None:
    assert not [name for name in imports_of(module) if RANK[room_of(name)] > RANK[room_of(module)]]


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's __init__ may gather what its own modules offer.
    graph = {module: {name for name in imports_of(module) if not module.startswith(f"{name}.")} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
