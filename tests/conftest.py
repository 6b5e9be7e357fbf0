"""Property tests draw the same examples every time, so that a verdict is about the change and not about luck.

`make measure` explores: it runs them under hypothesis's own default profile.
"""

from hypothesis import settings

settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")
