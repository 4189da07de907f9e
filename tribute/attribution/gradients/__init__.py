"""Per-row gradients of a model, evaluation gradients, the walk along a trace, and curvature."""
