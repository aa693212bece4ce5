"""Messages: those that connectors deliver to services, and those that services send through connectors."""
