"""Synthetic image datasets from VRM avatars."""

__version__ = "0.1.0"
