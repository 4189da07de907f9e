"""Property: an artifact is stale exactly when a file changed that its job runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tribute import closure as module
from tribute.attribution.credit.inrun_artifact import CREDIT
from tribute.closure import PACKAGE, closure, code_digest


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package whose sources may be edited; digests are of this copy."""
    copy = tmp_path / "tribute"
    subprocess.run(["cp", "-r", PACKAGE, copy], check=True)
    monkeypatch.setattr(module, "PACKAGE", copy)
    monkeypatch.setattr(module, "PUBLIC", copy / "__init__.py")
    forget()
    yield copy
    forget()


def forget() -> None:
    """Closures are read once per process."""
    for function in (closure, code_digest, module._imported):
        function.cache_clear()


def test_the_closure_holds_every_module_that_is_loaded():
    """Whatever Python itself has loaded once the module is imported is in the closure."""
    code = (
        "import sys, tribute.attribution.combine\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('tribute.')), sep='\\n')"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    loaded = {Path(line) for line in printed.splitlines()}
    assert PACKAGE / "attribution" / "shares" / "estimate.py" in loaded
    assert loaded <= closure("tribute.attribution.combine")


@pytest.mark.parametrize(
    "name", ["attribution/answers/explain.html", "attribution/answers/page.py", "report/run_page.py", "__init__.py"]
)
def test_an_edit_outside_the_closure_makes_no_credit_stale(copy: Path, name: str):
    """A page, a report or the public API is no part of what a credit is made from."""
    before = code_digest(CREDIT.module)
    with (copy / name).open("a") as file:
        file.write("\n# An edit.\n")
    forget()

    assert code_digest(CREDIT.module) == before


@pytest.mark.parametrize(
    "name", ["attribution/credit/inrun.py", "finetuning/recording/trace.py", "config/run.py", "settings.py"]
)
def test_an_edit_inside_the_closure_makes_every_credit_stale(copy: Path, name: str):
    """The method, the trace that it walks, and the ground that both stand on."""
    before = code_digest(CREDIT.module)
    with (copy / name).open("a") as file:
        file.write("\n# An edit.\n")
    forget()

    assert code_digest(CREDIT.module) != before


def test_imports_for_type_checkers_do_not_count(copy: Path):
    """They are never run."""
    with (copy / "errors.py").open("a") as file:
        file.write("\nif TYPE_CHECKING:\n    from tribute.report import run_page\n")
    forget()

    assert copy / "report" / "run_page.py" not in closure("tribute.errors")


def test_imports_inside_functions_count(copy: Path):
    """They run when the function does."""
    with (copy / "errors.py").open("a") as file:
        file.write("\n\ndef late():\n    from tribute import money\n")
    forget()

    assert closure("tribute.errors") == {copy / "errors.py", copy / "money.py"}
