"""The best plan for a training, and the files that start it."""
