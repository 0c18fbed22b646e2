"""Fitting a model: rows from recordings or simulations, a forest, a threshold, a directory."""
