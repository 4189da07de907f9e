"""What a server has before its first call: open store and engine, models, counters; what an operator changes."""
