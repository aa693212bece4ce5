"""The `zato` command: its frame, and the lifecycle of every part. Each part adds commands of its own by entry point."""
