"""What the record costs as it grows, by its rows and by its days."""
