"""Speed of the parts that cost time, beside peers: one command each."""
