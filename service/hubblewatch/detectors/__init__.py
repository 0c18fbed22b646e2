"""The detectors: one file each, listed as data in ``registry``."""
