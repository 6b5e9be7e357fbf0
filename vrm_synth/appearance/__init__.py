"""What is known of an avatar's looks: names of its colors, hair, skin, garments and things, measured once."""
