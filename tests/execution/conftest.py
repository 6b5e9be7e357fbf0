"""Fixture: the dataset tests' avatars."""

from tests.dataset.conftest import avatars

__all__ = ["avatars"]
