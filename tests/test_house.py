"""Theorem: who may know whom. Floors, columns and rooms are read from the tree and its imports, not by a reviewer.

A file in `tribute/` is common ground, as are `artifacts/` and `config/`; any other folder is a column, in a column a
folder is a room, and a file of `tribute/cli/` is a word of the command line. Where a rule does not hold yet, a table
says where and how often: its numbers may only fall. Delete a line when its number reaches zero.
"""

import ast
import json
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tribute"
COLUMNS = (
    *("contributions", "finetuning", "attribution", "services", "rewards", "report", "pipeline", "simulation"),
    "incentives",
)
"""From left to right: a column knows those to its left. Incentives are still to come."""
ABOVE = ("cli", "server")
"""Above all columns; nobody imports them."""
GROUND_FOLDERS = ("artifacts", "config")
"""Common ground that is more than a file."""
FLAT = ("report", "simulation", "incentives")
"""Columns without rooms: from outside one imports their modules."""
OPEN = ("finetuning", "pipeline")
"""Columns whose rooms may have no door: an `__init__.py` that is one sentence; from outside one imports their modules.

A door that imported the whole room would put it into the key of every artifact, and torch into every command.
"""
MOST_GROUND, MOST_IN_ROOM, MOST_ARGUMENTS = 20, 14, 6
"""The plan says 16 modules of common ground; `closure` and `version` came with the keys of artifacts, `strict` with
people's files, `dsse`, `merkle` and `micro` with receipts."""
HEAVY = {
    *("torch", "transformers", "peft", "mlflow", "dvc", "pandas", "numpy", "scipy", "sklearn", "pyarrow"),
    *("safetensors", "accelerate", "ray"),
}

BACKWARDS: set[str] = set()
"""Arrows that still run against the order of the rooms."""
NOT_BY_ROOM = {"pipeline": 2}
"""Column that imports → imports of another column's modules, or of names that a room does not export."""
PRIVATE: set[str] = set()
"""Names with an underscore that another module imports: none."""
LIKE_GROUND = {"tribute/simulation/config.py"}
"""Modules that are called like one of the ground: of a simulation, the plan has it so."""
MANY_ARGUMENTS = {
    "tribute/attribution/effects/newton.py": 1,
    "tribute/attribution/gradients/row_layers.py": 1,
    "tribute/attribution/shares/shares.py": 1,
    "tribute/finetuning/training/training.py": 1,
    "tribute/rewards/ledger/corrections.py": 1,
}
"""File → functions with more than six parameters."""
EMPTY_WORDS = {"one": 9, "found": 49, "made": 6, "told": 6, "said": 5, "those": 0}
"""Identifier that says nothing where the field has a noun → how often it stands in the package."""

LIBRARY = sorted(PACKAGE.rglob("*.py"))
TASKS = sorted((ROOT / "tasks").glob("*.py"))
FLOWS = sorted((ROOT / "flows").glob("*.py"))
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
GROUND = sorted(
    {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")} | {"artifacts", "config"}
)


def shown(path: Path) -> str:
    """A file's name in test ids and messages."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """`tribute/a/b.py` → `tribute.a.b`, and a package by its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in LIBRARY}


@cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module with its parent names (`a.b.c` for `from a.b import c`); is it at the top level?"""
    top = {id(node) for node in parsed(path).body}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out"
            yield from ((f"{node.module}.{alias.name}", id(node) in top) for alias in node.names)


def known_to(path: Path) -> set[str]:
    """The modules of Tribute that a file imports, in functions and under TYPE_CHECKING, too."""
    names = {name if name in MODULES else name.rpartition(".")[0] for name, _ in imports(path)}
    return (names & MODULES.keys()) - {module_of(path)}


def roots(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {name.split(".")[0] for name, _ in imports(path)}


def column_of(module: str) -> str:
    """The column of a module, or its own name where it is of the common ground."""
    return (*module.split("."), "")[1]


def columns() -> list[str]:
    """The columns that there are, from left to right."""
    return [name for name in COLUMNS if (PACKAGE / name).is_dir()]


def constant(path: Path, name: str) -> list[str]:
    """A tuple or list of texts that a file assigns at its top level; empty where it does not."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def test_every_folder_has_its_place():
    """A folder of the package is a column that the order knows, stands above, or holds assets; each is a package."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders <= {*COLUMNS, *ABOVE, *GROUND, "assets"}
    assert {PACKAGE / name for name in folders - {"assets"}} <= set(PACKAGES)


@pytest.mark.parametrize("name", GROUND)
def test_the_common_ground_knows_no_column(name: str):
    """What all columns stand on stands on none of them."""
    files = [path for module, path in MODULES.items() if column_of(module) == name]

    assert files
    assert {column_of(module) for path in files for module in known_to(path)} <= {*GROUND, ""}


def test_a_column_knows_only_columns_to_its_left():
    """From Tribute a column imports itself, the columns to its left and the common ground."""
    for place, column in enumerate(columns()):
        left = {*columns()[: place + 1], *GROUND, ""}
        for path in (PACKAGE / column).rglob("*.py"):
            assert {column_of(module) for module in known_to(path)} <= left, shown(path)


def test_nobody_knows_what_stands_above():
    """The command line and the server import the columns; only `python -m tribute` imports them."""
    for path in LIBRARY:
        if path.relative_to(PACKAGE).parts[0] not in {*ABOVE, "__main__.py"}:
            assert not {column_of(module) for module in known_to(path)} & set(ABOVE), shown(path)


@pytest.mark.parametrize("column", [*(name for name in columns() if name not in FLAT), "server"])
def test_rooms_stand_in_an_order(column: str):
    """A column's `__init__.py` lists its rooms and modules in ROOMS; each knows only those before it."""
    order = constant(PACKAGE / column / "__init__.py", "ROOMS")
    rooms = {path.stem for path in (PACKAGE / column).iterdir() if not path.stem.startswith("__")}
    backwards = {
        f"{module} → {other}"
        for module, path in MODULES.items()
        for other in known_to(path)
        if column_of(module) == column_of(other) == column and other.count(".") > 1
        if order.index(module.split(".")[2]) < order.index(other.split(".")[2])
    }

    assert sorted(order) == sorted(rooms), f"ROOMS of {column}"
    assert backwards <= BACKWARDS


def test_no_module_knows_itself_by_a_detour():
    """There is no circle, through no number of modules; imports in functions and under TYPE_CHECKING count."""
    try:
        TopologicalSorter({module: known_to(path) for module, path in MODULES.items()}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_rooms_are_entered_by_their_door():
    """From another column one imports a room, and only names in its `__all__`; where it has no door, its modules."""
    beside = Counter[str]()
    for path in LIBRARY:
        own = path.relative_to(PACKAGE).parts[0]
        for name, _ in imports(path):
            _, column, room, *inside = (*name.split("."), "", "")
            door = PACKAGE / column / room / "__init__.py"
            if column in columns() and column != own and door.exists():
                exported = constant(door, "__all__")
                has_door = exported or column not in OPEN
                beside[own] += has_door and ".".join(inside).rstrip(".") not in exported

    assert {own: count for own, count in beside.items() if count > NOT_BY_ROOM.get(own, 0)} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=shown)
def test_a_room_can_be_looked_over(package: Path):
    """At most 14 modules in a room, a few more on the ground; the command line has as many as it has words."""
    most = MOST_GROUND if package == PACKAGE else MOST_IN_ROOM
    modules = [path for path in package.glob("*.py") if not path.stem.startswith("__")]

    assert package == PACKAGE / "cli" or len(modules) <= most
    assert len(package.relative_to(PACKAGE).parts) <= 2, "no third level"


@pytest.mark.parametrize("package", [path for path in PACKAGES if path.name in columns()], ids=shown)
def test_a_column_imports_nothing_unasked(package: Path):
    """A column's own `__init__.py` is a sentence and the order of its rooms."""
    assert list(imports(package / "__init__.py")) == []


@pytest.mark.parametrize("column", OPEN)
def test_a_room_without_a_door_imports_nothing(column: str):
    """Its `__init__.py` is a sentence."""
    for room in (PACKAGE / column).glob("*/__init__.py"):
        assert constant(room, "__all__") or list(imports(room)) == [], shown(room)


def test_a_word_of_the_command_line_is_a_file():
    """`tribute <word>` is in `cli/<word>.py`; files with an underscore before their name are helpers."""
    import typer

    from tribute.cli import app

    files = {path.stem.rstrip("_") for path in (PACKAGE / "cli").glob("*.py") if not path.stem.startswith("_")}

    assert files == set(typer.main.get_command(app).commands)


def test_nobody_imports_what_is_private():
    """A name with an underscore is known in its module alone; a helper of a package, in the package."""
    private = {
        f"{shown(path)}: {name.rpartition('.')[2]}"
        for path in LIBRARY
        for name, _ in imports(path)
        if name.startswith("tribute.") and name.rpartition(".")[2].startswith("_") and not name.endswith("__")
        if name not in MODULES or MODULES[name].parent != path.parent
    }

    assert private <= PRIVATE


def test_no_module_is_called_like_the_ground():
    """`errors`, `files` or `money` is one module; words of the command line are called as they are typed."""
    inside = {path for path in LIBRARY if path.parent != PACKAGE and path.relative_to(PACKAGE).parts[0] not in ABOVE}

    assert {shown(path) for path in inside if path.stem in GROUND} <= LIKE_GROUND


@pytest.mark.parametrize("path", LIBRARY, ids=shown)
def test_the_library_does_not_know_the_engine(path: Path):
    """tribute/ imports neither Prefect nor tasks; only its commands import flows, and where they are used."""
    engine = [(name, top) for name, top in imports(path) if name.split(".")[0] in {"prefect", "tasks", "flows"}]
    allowed = path.parent.name in ABOVE

    assert all(allowed and name.startswith("flows.") and not top for name, top in engine), engine


@pytest.mark.parametrize(
    ("package", "home"),
    [("mlflow", "finetuning/tracking/"), ("dvc", "contributions/registry/dvc_remote.py")],
)
def test_mlflow_and_dvc_are_met_in_one_place(package: str, home: str):
    """Whoever wants to exchange one of them opens one file, or one room."""
    met = {shown(path) for path in [*LIBRARY, *TASKS, *FLOWS] if package in roots(path)}

    assert met
    assert all(name.startswith(f"tribute/{home}") for name in met), met


def test_json_and_yaml_are_read_strictly():
    """No module but `tribute/strict.py` reads JSON or YAML: the libraries' own loaders take a key twice."""
    loaders = {"json.load", "json.loads", "json.JSONDecoder", "yaml.load", "yaml.load_all", "yaml.safe_load"}
    loaders |= {"yaml.full_load", "yaml.unsafe_load", "yaml.safe_load_all", "pd.read_json", "pandas.read_json"}
    lax = {
        f"{shown(path)}:{node.lineno} {ast.unparse(node)}"
        for path in {*LIBRARY, *TASKS, *FLOWS} - {PACKAGE / "strict.py"}
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in loaders)
        or (isinstance(node, ast.ImportFrom) and node.module in ("json", "yaml") and _names_loader(node))
    }
    assert not lax


def _names_loader(node: ast.ImportFrom) -> bool:
    return any("load" in alias.name for alias in node.names)


def test_functions_take_few_arguments():
    """At most six parameters; the commands, whose parameters are options, and the debts above excepted."""
    limit = f"lint.pylint.max-args={MOST_ARGUMENTS}"
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "PLR0913", "--config", limit, "--output-format", "json"]
    done = subprocess.run([*ruff, "tribute", "tasks", "flows"], cwd=ROOT, capture_output=True, text=True)
    many = Counter(shown(Path(fault["filename"])) for fault in json.loads(done.stdout))

    assert {
        name: count
        for name, count in many.items()
        if not name.startswith("tribute/cli/") and count > MANY_ARGUMENTS.get(name, 0)
    } == {}


def test_identifiers_say_something():
    """`one` and `found` stand for nothing: where the field has a noun, it is the name."""
    counts = Counter[str]()
    for path in LIBRARY:
        with path.open("rb") as file:
            names = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME]
        counts.update(name for name in names if name in EMPTY_WORDS)

    assert {word: count for word, count in counts.items() if count > EMPTY_WORDS[word]} == {}


@pytest.mark.parametrize("path", LIBRARY, ids=shown)
def test_a_module_opens_with_a_sentence(path: Path):
    """The map in docs/architecture.md is made of these sentences."""
    first = (ast.get_docstring(parsed(path)) or "").splitlines()

    assert "".join(takewhile(str.strip, first)), f"{shown(path)}: no docstring"


@pytest.mark.parametrize("path", TASKS, ids=shown)
def test_tasks_wire_and_do_not_compute(path: Path):
    """A task's module imports no heavy library and no column but those that it wires: pipeline, year and attacks."""
    assert roots(path) <= {"prefect", "tasks", "tribute", *sys.stdlib_module_names}
    assert {column_of(module) for module in known_to(path)} <= {"pipeline", "simulation", "incentives", *GROUND}


@pytest.mark.parametrize("path", TASKS, ids=shown)
def test_a_task_is_one_to_five_calls(path: Path):
    """The body of a task has at most five statements after its docstring."""
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            assert 1 <= len(node.body) - 1 <= 5, f"{shown(path)}: {node.name}"


@pytest.mark.parametrize("path", FLOWS, ids=shown)
def test_flows_know_only_tasks_and_the_config(path: Path):
    """A flow imports Prefect, tasks, flows and the config's types; a task runner where it is asked for."""
    names = {name for name, _ in imports(path)}
    tribute = {name for name in names if name.split(".")[0] == "tribute"}

    assert roots(path) <= {"prefect", "prefect_ray", "ray", "tasks", "flows", "tribute", *sys.stdlib_module_names}
    assert all(name.startswith(("tribute.config.", "tribute.simulation.config.")) for name in tribute), tribute


@pytest.mark.parametrize("path", [path for path in FLOWS if path.name != "runner.py"], ids=shown)
def test_flows_tell_a_story_without_logic(path: Path):
    """A flow's body assigns what tasks return, goes through lists and goes on while a task proposes more.

    It decides, catches and computes nothing.
    """
    logic = (ast.If, ast.IfExp, ast.For, ast.Try, ast.With, ast.Lambda, ast.Compare, ast.BoolOp)
    for function in ast.walk(parsed(path)):
        if isinstance(function, ast.FunctionDef):
            nodes = [node for node in ast.walk(function) if isinstance(node, logic)]

            assert nodes == [], f"{shown(path)}:{nodes[0].lineno}: logic belongs into the library"


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
