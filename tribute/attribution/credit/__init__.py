"""Methods that credit rows without retraining: in-run credit and the linear probe."""
