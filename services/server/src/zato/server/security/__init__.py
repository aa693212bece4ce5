"""Who may call: one module for each kind of security definition."""
