"""People and programs who manage the cluster: who they are, and what they may do."""
