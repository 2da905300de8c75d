"""What a model's author and a release both need: a model's class, artifact, judges and registry."""
