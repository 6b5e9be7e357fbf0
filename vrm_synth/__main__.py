"""`vrm-synth`, and `python -m vrm_synth`. It imports nothing by itself: worker processes import it, too."""


def main() -> None:
    """The command line."""
    from vrm_synth.cli import main as command

    command()


if __name__ == "__main__":
    main()
