"""Which rows and contributors improved the model, by how much, and how far the numbers can be trusted."""
