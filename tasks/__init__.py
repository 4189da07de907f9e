"""The wiring between flows and the library: one to five calls a task."""
