"""The artifacts of fine-tuning, and the folder of an adapter as other tools read it."""
