"""What several tests of the services column need."""
