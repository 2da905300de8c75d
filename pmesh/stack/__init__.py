"""The local stack: every part of the product as a child process on this machine."""
