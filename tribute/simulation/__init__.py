"""Many months in a row, played under a clock of their own."""
