"""Sends predictions to Label Studio to be labelled by people, and makes labels of what they say."""
