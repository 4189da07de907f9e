"""What several tests of the server need."""
