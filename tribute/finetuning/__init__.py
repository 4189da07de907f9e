"""LoRA fine-tuning on a dataset version, with a recorded trace that attribution can walk."""
