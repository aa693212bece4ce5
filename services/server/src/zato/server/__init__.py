"""The server: runs users' services. `from zato.server.service import Service` is what services are written against."""
