"""What two or more parts of the platform use. Imports nothing of any part."""
