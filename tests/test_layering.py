"""STYLE's layers and openings, read from the syntax trees."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "tabpo").rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow_scripts").glob("[!_]*.py"))
LAYERS = (
    ("errors", "names", "records", "artefacts", "progress", "code_version"),
    (
        "data",
        "losses",
        "metrics",
        "config",
        *("config_keys", "config_pages", "config_preferences", "config_shape", "config_training", "model_settings"),
        *("study", "training_settings"),
        "report_settings",
        "endpoint_settings",
        "generation_settings",
        "figure_settings",
        "figures",
    ),
    (
        *("training", "inference", "chat_server", "endpoint", "costs", "report"),
        *("training_figure", "erosion_figure", "reports"),
    ),
)
WITHOUT_TORCH = (
    *("errors", "records", "artefacts", "progress", "code_version", "data", "metrics", "config", "config_shape"),
    *("names", "config_preferences", "config_training", "study", "endpoint_settings", "generation_settings"),
    *("config_keys", "config_pages", "model_settings", "training_settings"),
    *("chat_server", "endpoint", "report", "reports", "report_settings"),
    *("figures", "figure_settings", "training_figure", "erosion_figure"),
)
HEAVY = {"torch", "transformers", "peft", "deepspeed", "accelerate"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports anywhere, `from a import b` as both a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_name(path): path for path in PACKAGE}
GRAPH = {name: {other for other in imports(path) if other in MODULES} - {name} for name, path in MODULES.items()}


def part(name: str) -> str:
    """What a module belongs to; the settings of training are read while a study is resolved, far from the trainer."""
    return "training_settings" if name == "tabpo.training.settings" else name.split(".")[1]


def layer(name: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part(name) in parts)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_part_has_a_layer():
    parts = {part(name) for name in MODULES if name != "tabpo"}
    assert parts <= {name for names in LAYERS for name in names}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "tabpo"])
def test_imports_point_down(name):
    upward = [other for other in GRAPH[name] if other != "tabpo" and layer(other) > layer(name)]
    assert not upward, f"{name} imports {upward} from a layer above"


def test_no_cycles():
    open_modules = dict(GRAPH)
    while leaves := {name for name, needs in open_modules.items() if not needs & set(open_modules)}:
        open_modules = {name: needs for name, needs in open_modules.items() if name not in leaves}
    assert not open_modules, f"import one another: {sorted(open_modules)}"


@pytest.mark.parametrize("name", [name for name in MODULES if name != "tabpo" and part(name) in WITHOUT_TORCH])
def test_light_modules_reach_no_torch(name):
    reached, waiting = set(), {name}
    while waiting:
        reached |= waiting
        waiting = {other for one in waiting for other in GRAPH[one]} - reached
    heavy = {
        f"{one}: {root}" for one in reached for root in {found.split(".")[0] for found in imports(MODULES[one])} & HEAVY
    }
    assert not heavy


@pytest.mark.parametrize("path", PACKAGE, ids=shown)
def test_the_package_knows_no_workflow(path):
    assert not {"snakemake", "workflow_scripts"} & {name.split(".")[0] for name in imports(path)}
    tree = ast.parse(path.read_text())
    constants = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [text for text in constants if re.match(r"\.?/?results/", text)]
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert "print" not in calls


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_a_script_is_one_main_and_calls_no_script(path):
    tree = ast.parse(path.read_text())
    definitions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert definitions == ["main"]
    assert not [name for name in imports(path) if name.startswith("workflow_scripts")]


@pytest.mark.parametrize("path", [*PACKAGE, *SCRIPTS], ids=shown)
def test_a_module_opens_with_a_sentence(path):
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").strip()
