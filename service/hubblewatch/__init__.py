"""Flow-based anomaly detection for clusters that run Cilium."""

__version__ = "0.1.0"
