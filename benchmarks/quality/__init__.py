"""How right the sentiment models are, beside published tools, and at what cost."""
