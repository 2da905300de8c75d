"""The models that come with the project: one folder for each."""
