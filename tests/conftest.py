"""Property tests draw the same examples every time, so that a verdict is about the change and not about luck.

`make measure` explores: it runs them under the profile "default". Neither has a deadline, nor looks at a clock in any
other way: a busy machine is no fault of the code's.
"""

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", PATIENT)
settings.register_profile("steady", PATIENT, derandomize=True)
settings.load_profile("steady")
