"""Hypothesis profiles: property tests draw the same examples in every run.

`make measure` runs them under the profile "default", which draws new examples. Neither has a deadline: a busy machine
is no fault of the code.
"""

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", PATIENT)
settings.register_profile("steady", PATIENT, derandomize=True)
settings.load_profile("steady")
