"""Users' services: finding them in files, keeping them, and running them."""
