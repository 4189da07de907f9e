"""Pages that show a run (who gave what, what was learned, where the money went) and a year of months."""
