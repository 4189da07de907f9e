"""Prefect flows: each orders the tasks of one stage or of a whole run, and holds no logic."""
