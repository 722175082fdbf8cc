"""Model texts: expressions, networks, loading."""
