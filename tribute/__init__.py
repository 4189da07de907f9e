"""Tribute: contribute, attribute, distribute."""

__version__ = "0.1.0"
