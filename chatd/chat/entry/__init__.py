"""Who comes in as whom: nicks, authentication, detached sessions and the entrance."""
