"""Looks of an avatar: names of its colors, hair, skin, garments and things, measured once."""
