"""The ZeroMQ connector: sockets of peers on one side, services on the other."""
