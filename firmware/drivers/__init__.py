"""One file per sensor chip: registers, identity, self-test, scale.

A driver of a sampled sensor has `count_ug` (1/1,000,000 g a count), `full_scale_counts`, `rate_hz`;
`identify()`, `self_test()`, `start()`, `configured()`, which use the bus and so need the engine at
rest; and `engine_parameters()`, what `acquire_rp2` needs to move the samples. It never moves them
itself.
"""


class WrongSensorError(ValueError):
    """Another chip answers than the board file names: fit that one, or name this one."""
