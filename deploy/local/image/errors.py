"""What is wrong with the image, or keeps it from being tried."""


class ImageError(Exception):
    """The image is not built, or is not as it must be; the message says which and why."""


class EngineMissingError(Exception):
    """Nothing on this machine builds or runs an image; the message says what to install."""
