"""The worker of one model: from its queue to the servers of its versions and back to the bus."""
