"""What may be read: receipts, also as a page, usage, budgets, models and the state of the server."""
