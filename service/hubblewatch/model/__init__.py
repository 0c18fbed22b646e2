"""The isolation forest: features, fitting, files without pickle, and why a window is odd."""
