"""Training of latent diffusion models: data and its order, latents, the loop, checkpoints."""
