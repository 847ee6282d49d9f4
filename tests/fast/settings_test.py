import pytest

from fastslow.fast import settings


def test_settings_refuse_sizes_that_leave_nothing_to_do():
    with pytest.raises(ValueError, match="minibatch_size must be at least 1"):
        settings.Settings(minibatch_size=0)
    with pytest.raises(ValueError, match="max_demos must not be negative"):
        settings.Settings(max_demos=-1)
