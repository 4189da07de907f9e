"""The stages of a run, each a function of the workspace and the config: data, training, measuring, results."""
