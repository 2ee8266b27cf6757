"""The best plan for serving a load, and the files that start it."""
