"""Tests mirror the floors; what several of them need lies here."""
