"""The way of an HTTP request: bytes → Request → the pipeline's steps → Response → bytes."""
