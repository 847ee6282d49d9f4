"""report.html: a page that needs nothing else, no network and no other file."""
