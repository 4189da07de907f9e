"""One page that shows a run (who gave what, what was learned, where the money went), and one for many months."""

from tribute.report.report import write_report
from tribute.report.year import write_year

__all__ = ["write_report", "write_year"]
