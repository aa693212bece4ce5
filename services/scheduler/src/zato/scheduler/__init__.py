"""The scheduler: says when jobs run. Several of them share the work of one: a leader plans, the others stand by."""
