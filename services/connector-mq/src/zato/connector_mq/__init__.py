"""Runs the connector of IBM MQ and JMS: messages of queues to services, and of services to queues."""
