"""Sweeps: one run directory per cell of a grid, carried out by a launcher, resumable."""
