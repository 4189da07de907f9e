"""What a run will take, before anything runs: tokens, FLOP, hours, memory and disk of every stage."""
