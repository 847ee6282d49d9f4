"""Model families: what the loop can teach."""
