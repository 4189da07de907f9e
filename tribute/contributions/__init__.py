"""Who contributed which rows, in which order, and which dataset version they became."""
