"""Records in the store: accounts, profiles, rooms, bans, offline messages, the audit log."""
