"""Tests of the first column."""
