"""Our place in a benchmark of model servers that is not part of this project."""
