"""A whole cluster on one machine, in one folder. Parts are composed by their folders only; none is imported."""
