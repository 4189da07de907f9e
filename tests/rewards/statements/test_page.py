"""A page is a page, however many contributors there are."""

import pytest

from tribute.rewards.statements import page as pages
from tribute.rewards.statements.statements import write_statements


@pytest.mark.parametrize(("most", "marks"), [(500, 7), (3, 3)])
def test_a_strip_thins_out_the_others_credits(closed_house, monkeypatch, most, marks):
    """All eight who were trained on but the reader, or by rank every third; the place stays the true one."""
    monkeypatch.setattr(pages, "MOST_MARKS", most)

    (path,) = write_statements(closed_house.workspace, "2026-12", ["numpy"], closed_house.words)

    page = path.read_text(encoding="utf-8")
    assert page.count('<line class="other"') == marks
    assert "of 8 contributors" in page
