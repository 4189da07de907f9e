"""LibreOffice, headless: what a person sees who opens a table by double click."""

import shutil
import subprocess

import pytest


def sheet(path, scratch):
    """The table as LibreOffice's own XML. Skips the test where the program is missing."""
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed")
    command = ["soffice", "--headless", f"-env:UserInstallation={(scratch / 'profile').as_uri()}"]
    command += ["--convert-to", "fods", "--outdir", str(scratch), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return (scratch / path.with_suffix(".fods").name).read_text(encoding="utf-8")
