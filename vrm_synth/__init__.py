"""Synthetic image datasets from VRM avatars."""

__version__ = "0.2.0"
