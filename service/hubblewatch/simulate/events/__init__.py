"""From connections to the events that Hubble reports of them."""
