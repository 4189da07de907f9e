"""The steps of a run, each a function of the workspace and the config; flows and commands call the same ones."""

ROOMS = ("runs", "planning", "stages", "usage", "launch", "verification", "operations")
"""In order: each knows only those before it."""
