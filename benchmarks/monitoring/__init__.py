"""What the hourly job costs, by rows."""
