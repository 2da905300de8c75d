"""What models saw in texts: rows on their way to S3, and the objects that they become there."""
