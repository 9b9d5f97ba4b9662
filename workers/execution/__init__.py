"""A step from its claim to its stored end: executor, runner, attempts, checks, progression, leases, reclaiming."""
