"""The attribution card: how faithful the numbers are, measured by retraining."""
