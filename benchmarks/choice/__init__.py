"""Whether labels of what is worth a person's time teach a model more than labels by chance."""
