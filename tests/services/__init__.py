"""Tests of the services column; one module for each of its own."""
