"""Tests of the finetuning column; one module for each of its own."""
