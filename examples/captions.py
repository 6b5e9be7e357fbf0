"""One picture in words: three styles, and a captioner of one's own: python examples/captions.py [AVATAR]"""

import sys

import vrm_synth as vs
from vrm_synth.facts.facts import Facts


def colors_alone(facts: Facts, seed: int) -> str:
    """A captioner is a function of what the picture shows, and of a seed to choose words by."""
    hair = " and ".join(facts.hair.colors)
    worn = ", ".join(" ".join((*item.colors, item.kind)) for item in facts.garments)
    return "; ".join(x for x in (f"{hair} hair" if hair else "", worn) if x) or "colorless"


def main(source: str = "demo") -> None:
    avatar = vs.load(source)  # a VRM file's path, "demo", or "demo:3"
    with vs.Renderer() as renderer:
        facts = renderer.render(avatar, pose="wave", view="bust_front_level", facts=True).facts
    for style in ("en", "ja", "tags"):
        print(f"{style}: {vs.describe(facts, style)}")
    print(f"with a trigger word: {vs.describe(facts, 'tags', trigger='ohwx', drop={'background': 1.0})}")
    print(f"of one's own: {colors_alone(facts, seed=0)}")
    # For a whole dataset: vs.caption_dataset("out/first", "caption_colors", captioner=colors_alone)


if __name__ == "__main__":
    main(*sys.argv[1:])
