"""Processes, ports and locks: nothing of a local stack outlives the process that started it."""
