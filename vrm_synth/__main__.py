"""`python -m vrm_synth` is `vrm-synth`."""

from vrm_synth.cli import main

if __name__ == "__main__":
    main()
