"""`zato.server.connection`: a published name, for the imports of users' services. Ours are in `zato.server.connections`."""
