"""What runs were and came to: records, summaries, figures, comparison, and which of them are stale."""
