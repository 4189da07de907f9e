"""Tests of the rewards column; one module for each of its own."""
