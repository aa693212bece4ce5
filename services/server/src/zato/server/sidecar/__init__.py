"""
The server's second process: gRPC towards the other parts, membership in the load-balancer, and the pickup folder.

It is not patched by gevent, runs no user's code and opens no database: each call goes on to a worker.
"""
