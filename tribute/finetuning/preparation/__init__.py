"""From a dataset's task and a config to a model and rows that can be trained, and what is refused before."""
