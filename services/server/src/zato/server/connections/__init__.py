"""Outgoing connections: one folder for each type. A folder that is here, or an entry point `zato.connections`, is a type."""
