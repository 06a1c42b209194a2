"""Where was this photo taken, and how was the camera held?"""

__version__ = "0.1.0"
