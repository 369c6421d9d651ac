"""A streaming real-time risk monitor for AI regulatory sandboxes."""

__version__ = "0.1.0"
