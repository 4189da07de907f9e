"""What payers paid for which answers: handed in as a file, or metered and sealed."""
