"""Where lines come from: recordings, and what merges several of them."""
