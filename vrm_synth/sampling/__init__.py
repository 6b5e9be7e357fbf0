"""Sampling of images from prompts with a diffusion model, and previews of training runs."""
