"""Which packages of `tabpo` each package may import, checked on the syntax trees."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "tabpo").rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow_scripts").glob("[!_]*.py"))
GROUND = ("errors", "privacy", "names", "progress")
FILES = ("artefacts", "records", "code_version")
ROOMS = {
    **dict.fromkeys(GROUND, ()),
    "losses": (),
    "processes": FILES,
    **dict.fromkeys(FILES, FILES),
    "answers": FILES,
    "data": ("answers",),
    "metrics": ("answers",),
    "confusions": ("answers",),
    "tuning": FILES,
    "study": ("data", "metrics", "losses", "tuning"),
    "tables": ("metrics", "tuning"),
    "reports": ("tables", "confusions"),
    "pairs": ("confusions", "answers", "data", "study"),
    "models": ("study",),
    "scoring": ("models", "losses"),
    "inference": ("scoring", "models"),
    "training": ("losses", "processes", "pairs", "inference"),
    "compute": ("training", "tuning"),
}
"""A room may use what stands beside it, what those may use, and the ground."""
HEAVY = {"torch", "transformers", "peft", "deepspeed", "accelerate"}
WITH_TORCH = ("losses", "processes", "models", "scoring", "inference", "training", "compute")


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports anywhere; `from a import b` gives both a and a.b."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return imported


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    return module.split(".")[1]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


MODULES = {module_name(path): path for path in PACKAGE if path.parent != ROOT / "tabpo" or path.stem != "__init__"}
GRAPH = {name: {other for other in imports(path) if other in MODULES} - {name} for name, path in MODULES.items()}


def usable(name: str) -> set[str]:
    """Rooms that a room may use, itself and the ground among them."""
    return {name, *GROUND}.union(*(usable(other) for other in ROOMS[name] if other != name and name not in FILES))


@pytest.mark.parametrize("name", MODULES)
def test_a_room_uses_what_the_table_allows(name):
    assert {room(other) for other in GRAPH[name]} <= usable(room(name)) | set(ROOMS[room(name)])


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) not in WITH_TORCH])
def test_rooms_without_torch_do_not_reach_it(name):
    reached, waiting = set(), {name}
    while waiting:
        reached |= waiting
        waiting = {other for module in waiting for other in GRAPH[module]} - reached
    assert not {f"{module} imports {name}" for module in reached for name in imports(MODULES[module]) & HEAVY}


def test_modules_do_not_import_one_another():
    remaining = dict(GRAPH)
    while leaves := {name for name, needs in remaining.items() if not needs & set(remaining)}:
        remaining = {name: needs for name, needs in remaining.items() if name not in leaves}
    assert not remaining


def test_no_package_but_losses_has_more_than_twenty_modules():
    folders = {path.parent for path in PACKAGE}
    sizes = {shown(folder): len(list(folder.glob("[!_]*.py"))) for folder in folders if folder.name != "losses"}
    assert not {folder: size for folder, size in sizes.items() if size > 20}


def test_no_room_holds_more_than_a_sixth_of_the_code():
    lines = dict.fromkeys(ROOMS, 0)
    for name, path in MODULES.items():
        lines[room(name)] += len(path.read_text().splitlines())
    assert not {name: count for name, count in lines.items() if 6 * count > sum(lines.values())}


@pytest.mark.parametrize("path", PACKAGE, ids=shown)
def test_the_package_knows_no_workflow(path):
    assert not {"snakemake", "workflow_scripts"} & {name.split(".")[0] for name in imports(path)}
    nodes = list(ast.walk(ast.parse(path.read_text())))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if re.match(r"\.?/?results/", text)]
    assert "print" not in [
        node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_a_script_is_one_main_and_imports_no_script(path):
    tree = ast.parse(path.read_text())
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)] == ["main"]
    assert not [name for name in imports(path) if name.startswith("workflow_scripts")]
