"""Functions of `import vrm_synth`, beside the library's own types: each a thin call of the library."""
