"""Training: data order and latents, the loop, checkpoints."""
