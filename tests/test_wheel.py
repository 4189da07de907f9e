"""Theorem: an installed wheel claims one name, and has all that its commands need without a checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout installed in it, alone."""
    pytest.importorskip("hatchling")
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel], check=True)
    return folder


def test_it_claims_one_name(installed: Path):
    """Beside the package there is only what pip writes; `flows` and `tasks` stay free for others."""
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}

    assert names <= {"tribute", "bin"}


def test_it_holds_every_module_and_page(installed: Path):
    """Each source file, template, style and example config of the checkout is in the wheel."""
    homes = {name: installed / "tribute" / "_checkout" / name for name in ("flows", "tasks", "configs")}
    for name, home in (homes | {"tribute": installed / "tribute"}).items():
        listed = subprocess.run(["git", "ls-files", name], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        missing = [path for path in listed.split() if not (home / Path(path).relative_to(name)).is_file()]

        assert missing == []


def test_its_commands_find_flows_and_configs(installed: Path, tmp_path: Path):
    """Away from any checkout, the demo's config is read and the flow that it starts is imported from the wheel."""
    code = "\n".join(
        [
            "import tribute",
            "from tribute.cli._checkout import checkout, find_flows",
            "from tribute.pipeline.launch.preflight import checked_config",
            "checked_config(checkout() / 'configs' / 'docs.yaml', [])",
            "find_flows()",
            "import flows.pipeline, flows.year, tasks.rewards",
            "print(tribute.__file__, flows.__file__, tasks.__file__, sep='\\n')",
        ]
    )

    # -S: without site-packages' own .pth files, which would put this checkout on the path.
    packages = [path for path in sys.path if path.endswith("site-packages")]
    start = f"import sys; sys.path[:0] = {[str(installed)]}; sys.path += {packages}\n"
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", start + code], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert all(Path(line).is_relative_to(installed) for line in done.stdout.split())
