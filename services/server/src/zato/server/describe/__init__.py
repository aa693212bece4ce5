"""Descriptions for programs and people: JSON Schema and OpenAPI documents of services and of the admin API."""
