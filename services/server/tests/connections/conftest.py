"""Real servers for the types of connections."""
