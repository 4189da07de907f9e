"""In a real browser the receipt shows every reason, runs no script and fits a phone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tribute.contributions.cards import receipt as receipts


@pytest.fixture
def browser() -> str:
    """Chromium, or a skip where this machine has none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


def receipt(evidence: str) -> dict:
    reason = {"code": "schema", "canonical_row_id": None, "evidence": evidence}
    return {
        "contribution": "ada-00000000",
        "contributor": "ada",
        "dataset": "docs",
        "licence": "MIT",
        "terms": {"purposes": ["fine-tuning"], "expires": "2028-12-31"},
        "signed_by": "A" * 43 + "=",
        "recorded_at": "2026-11-22T10:00:00+00:00",
        "ledger_seq": 7,
        "ledger_hash": "a" * 64,
        "rows_sha256": "b" * 64,
        "verdicts": {"accepted": 1, "rejected": 1},
        "reasons": {"schema": 1},
        "commitment": None,
        "rows": [
            {"line": 1, "row_id": "ada-00000000:1", "verdict": "accepted", "reasons": []},
            {"line": 2, "row_id": None, "verdict": "rejected", "reasons": [reason]},
        ],
    }


def rendered(browser: str, page: Path, *options: str) -> str:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    return subprocess.run(
        [*command, *options, page.as_uri()], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_the_page(browser: str, tmp_path: Path):
    """Markup in a reason is shown as text, no script runs, and nothing is wider than a phone's screen."""
    page = tmp_path / "receipt.html"
    html = receipts.page(receipt("<img src=x onerror=\"document.title='run'\"> unknown label"))
    measure = "<script>document.title = document.documentElement.scrollWidth > innerWidth ? 'wide' : 'fits'</script>"
    scripted = html.replace("</body>", measure + "</body>")
    page.write_text(scripted)
    guarded = rendered(browser, page, "--window-size=500,900", "--dump-dom")
    page.write_text(scripted.replace("Content-Security-Policy", "none"))

    shown = rendered(browser, page, "--window-size=500,900", "--dump-dom")

    assert "<title>Receipt " in guarded
    assert "<title>fits</title>" in shown
    assert "&lt;img src=x" in shown
    assert "This row is faulty." in shown
    assert "fine-tuning, until 2028-12-31" in shown
