"""What tuning a trained model costs."""
