"""The relay: the outbox to SNS, the models' answers to PostgreSQL, and what got stuck again."""
