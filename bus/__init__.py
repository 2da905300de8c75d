"""The bus: SNS and SQS, the names on them, and the format of the messages."""
