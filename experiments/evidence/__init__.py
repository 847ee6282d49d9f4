"""The claims of this framework, each with the runs that test it and what came out."""
