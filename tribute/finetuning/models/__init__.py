"""Frozen base models, the kinds of model that are fine-tuned, and their adapters."""
