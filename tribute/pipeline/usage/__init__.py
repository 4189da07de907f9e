"""What is done with paid answers: they are explained in batches, and a month of them is sealed."""
