"""Sentiment: how a text feels, as two architectures of one model."""
