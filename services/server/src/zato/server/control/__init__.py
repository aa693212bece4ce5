"""The control plane of a server: changing the configuration, and following its changes."""
