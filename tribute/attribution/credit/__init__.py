"""Methods that credit rows without retraining: in-run credit and a stand-in."""
