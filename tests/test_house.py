"""Theorem: who may know whom. Floors and columns are read from the imports, so that no review has to."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tribute.artifacts import COLUMNS

ROOT = Path(__file__).parents[1]
GROUND = {"errors", "settings", "config", "artifacts", "money", "workspace", "progress"}
HEAVY = {
    *("torch", "transformers", "peft", "mlflow", "dvc", "pandas", "numpy", "scipy", "sklearn", "pyarrow"),
    *("safetensors", "accelerate", "ray"),
}
LIBRARY = sorted((ROOT / "tribute").rglob("*.py"))
TASKS = sorted((ROOT / "tasks").glob("*.py"))
FLOWS = sorted((ROOT / "flows").glob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module with its parent names (`a.b.c` for `from a.b import c`); is it at the top level?"""
    module = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in module.body}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out"
            yield from ((f"{node.module}.{alias.name}", id(node) in top) for alias in node.names)


def roots(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {name.split(".")[0] for name, _ in imports(path)}


def shown(path: Path) -> str:
    """A file's name in test ids."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LIBRARY, ids=shown)
def test_the_library_does_not_know_the_engine(path: Path):
    """tribute/ imports neither Prefect nor tasks; only its commands import flows, and where they are used."""
    found = [(name, top) for name, top in imports(path) if name.split(".")[0] in {"prefect", "tasks", "flows"}]
    allowed = path.parent.name == "cli"

    assert all(allowed and name.startswith("flows.") and not top for name, top in found), found


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_knows_only_columns_to_its_left(column: str):
    """From tribute a column imports itself, the columns to its left and the common ground."""
    known = {*COLUMNS[: COLUMNS.index(column) + 1], *GROUND, "__version__"}
    for path in (ROOT / "tribute" / column).rglob("*.py"):
        parts = {name.split(".")[1] for name, _ in imports(path) if name.startswith("tribute.")}

        assert parts <= known, f"{shown(path)} imports {sorted(parts - known)}"


@pytest.mark.parametrize("name", sorted(GROUND))
def test_the_common_ground_knows_no_column(name: str):
    """What all columns stand on stands on none of them."""
    parts = {part.split(".")[1] for part, _ in imports(ROOT / "tribute" / f"{name}.py") if part.startswith("tribute.")}

    assert parts <= GROUND | {"__version__"}


@pytest.mark.parametrize(
    ("package", "home"),
    [("mlflow", "finetuning/tracking.py"), ("dvc", "contributions/repository.py")],
)
def test_mlflow_and_dvc_are_met_in_one_module(package: str, home: str):
    """Whoever wants to exchange one of them opens one file."""
    met = {shown(path) for path in [*LIBRARY, *TASKS, *FLOWS] if package in roots(path)}

    assert met <= {f"tribute/{home}"}


@pytest.mark.parametrize("path", TASKS, ids=shown)
def test_tasks_wire_and_do_not_compute(path: Path):
    """A task's module imports no heavy library and no column: it calls tribute.stages."""
    assert roots(path) <= {"prefect", "tasks", "tribute", *sys.stdlib_module_names}
    columns = {name for name, _ in imports(path) for column in COLUMNS if name.startswith(f"tribute.{column}.")}
    assert columns == set()


@pytest.mark.parametrize("path", TASKS, ids=shown)
def test_a_task_is_one_to_five_calls(path: Path):
    """The body of a task has at most five statements after its docstring."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            assert 1 <= len(node.body) - 1 <= 5, f"{shown(path)}: {node.name}"


@pytest.mark.parametrize("path", FLOWS, ids=shown)
def test_flows_know_only_tasks_and_the_config(path: Path):
    """A flow imports Prefect, tasks, flows and the config's types; a task runner where it is asked for."""
    names = {name for name, _ in imports(path)}
    tribute = {name for name in names if name.split(".")[0] == "tribute"}

    assert roots(path) <= {"prefect", "prefect_ray", "tasks", "flows", "tribute", *sys.stdlib_module_names}
    assert all(name.startswith(("tribute.config.", "tribute.simulation.config.")) for name in tribute), tribute


@pytest.mark.parametrize("path", [path for path in FLOWS if path.name != "runner.py"], ids=shown)
def test_flows_tell_a_story_without_logic(path: Path):
    """A flow's body assigns what tasks return, goes through lists and goes on while a task proposes more.

    It decides, catches and computes nothing.
    """
    logic = (ast.If, ast.IfExp, ast.For, ast.Try, ast.With, ast.Lambda, ast.Compare, ast.BoolOp)
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            found = [node for node in ast.walk(function) if isinstance(node, logic)]

            assert found == [], f"{shown(path)}:{found[0].lineno}: logic belongs into the library"


@pytest.mark.parametrize("arguments", [["--help"], ["finetune", "--help"], ["config", "schema", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    """Help answers at once because it imports none of the big packages."""
    code = "\n".join(
        [
            "import sys",
            "from tribute.cli import main",
            "try:",
            f"    main({arguments})",
            "except SystemExit:",
            f"    print([n for n in {sorted(HEAVY | {'prefect', 'yaml'})} if n in sys.modules])",
        ]
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
