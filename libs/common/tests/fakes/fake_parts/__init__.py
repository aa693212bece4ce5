"""Stand-ins for parts."""
