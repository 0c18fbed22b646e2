"""The service's image, built and tried on this machine."""
