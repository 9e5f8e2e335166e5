"""Rate limits: token buckets, address prefixes and the login throttle."""
