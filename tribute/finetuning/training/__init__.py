"""The training itself: its steps, their learning rates, the trainer."""
