"""Own machines against a hosted API."""
