"""Pictures from a model: prompts in, PNG files and grids out."""
