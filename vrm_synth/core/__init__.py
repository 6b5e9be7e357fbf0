"""Shared value types, transforms, bone table, randomness and errors: numpy only, no I/O."""
