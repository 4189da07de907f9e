"""What a training leaves to be walked again: its curve, its states and its trace."""
