"""One page that shows a run: who gave what, what was learned from it, and where the money went."""

from tribute.report.report import write_report

__all__ = ["write_report"]
