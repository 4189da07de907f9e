"""Looking after a workspace: what it holds, what waits, what may be deleted, what must be erased."""
