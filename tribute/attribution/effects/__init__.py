"""Predicted effects of leaving rows or contributors out, and the baselines they must beat."""
