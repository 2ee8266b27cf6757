"""The model worth training for a budget."""
