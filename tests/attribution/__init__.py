"""Tests of the attribution column; one module for each of its own."""
