"""The load-balancer's agent: runs HAProxy in front of the servers and lets them join, drain and leave."""
