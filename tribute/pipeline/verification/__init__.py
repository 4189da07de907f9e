"""From what was paid back to its evidence: chains of artifacts, measured again, checked."""
