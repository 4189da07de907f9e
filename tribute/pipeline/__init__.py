"""The steps of a run, each a function of the workspace and the config; flows and commands call the same ones."""
