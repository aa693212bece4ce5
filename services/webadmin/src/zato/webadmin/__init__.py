"""The web admin: what people see of a cluster in a browser, and do there as themselves."""
