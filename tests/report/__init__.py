"""Tests of the report, on synthetic artifacts."""
