"""What the gateway reads from PostgreSQL and writes to it; nothing else in it knows SQL."""
