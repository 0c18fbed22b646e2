"""Lines from a live Hubble: an agent or Relay, read over gRPC."""
