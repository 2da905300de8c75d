"""The command line, and the local stack that runs the whole product on one machine."""
