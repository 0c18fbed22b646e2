"""Flow events to connections, and connections to attempts: who tried what, once."""
