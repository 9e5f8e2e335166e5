"""Entry: the entrance for visitors, nicks, authentication and detached sessions."""
