"""Writes the folder of a new model from the files in `template`."""
