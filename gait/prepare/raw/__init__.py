"""Files of a raw tree, on disk or in archives."""
