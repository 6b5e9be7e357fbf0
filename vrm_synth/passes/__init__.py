"""Ground truth beside a picture: a geometry buffer → named passes → files."""
