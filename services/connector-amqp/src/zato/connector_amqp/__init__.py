"""Runs the connector of AMQP 0-9-1: messages of brokers to services, and of services to brokers."""
