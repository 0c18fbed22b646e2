"""A replay: recordings through the detection, and what it tells of them."""
