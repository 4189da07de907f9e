"""Paid calls: what is asked of a model, held, answered whole or streamed, settled, and done again."""
