"""What is generated is fresh, and what the pages name exists."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_files_are_fresh():
    """`make docs` would change nothing."""
    check = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True)

    assert check.returncode == 0, check.stderr


def test_pages_link_to_files_that_exist():
    """No relative link leads nowhere."""
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_pages_name_commands_that_exist():
    """Every `tribute verb` in the pages is in the command reference."""
    reference = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    verbs = {
        verb
        for page in PAGES
        for verb in re.findall(r"^\s*tribute ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert verbs
    assert all(f"## tribute {verb}\n" in reference for verb in verbs)
