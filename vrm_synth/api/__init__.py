"""What `import vrm_synth` offers beside the library's own types: few functions, each a thin call of the library."""
