"""Prefect tasks: each makes one to five calls to the library."""
