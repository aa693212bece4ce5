"""A part's own certificate: got with a token, kept to itself, renewed in time."""
