"""Several runs beside each other: which can be compared, at what point, and what comes out."""
