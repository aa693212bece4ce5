"""gRPC as the parts use it: servers and clients with TLS, deadlines, health, and errors that come out as themselves."""
