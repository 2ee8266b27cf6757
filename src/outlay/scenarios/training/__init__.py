"""What a pre-training costs, in one stage or several, and why."""
