"""A part's folder and the processes that run from it: what `zato create`, `start`, `stop` and `info` do, without a terminal."""
