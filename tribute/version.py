"""The version of Tribute, apart from the package itself, which imports what it makes public."""

__version__ = "0.2.0"
