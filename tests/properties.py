"""How many examples a property tries where each one is costly. `make test ARGS=--hypothesis-profile=thorough` tries twenty times as
many of every property."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_USUAL = 100
# How long an example takes says how busy the machine is, not whether the property holds.
settings.register_profile("usual", deadline=None, max_examples=_USUAL)
settings.register_profile("thorough", deadline=None, max_examples=20 * _USUAL)


def costly(examples: int) -> settings:
    """Settings for `examples` examples, which may share what a function's fixture made."""
    profile = settings.default
    assert profile
    slow = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples * profile.max_examples // _USUAL, deadline=None, suppress_health_check=slow)
