"""Released models over HTTP, metered: the endpoints that clients know, above all columns."""

ROOMS = ("reports", "setup", "requests", "reading", "calls", "agent_tools", "app", "run")
