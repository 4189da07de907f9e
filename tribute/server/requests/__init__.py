"""Requests as they come in: bodies, who calls, and the errors and log lines that they may end with."""
