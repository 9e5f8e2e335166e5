"""What is kept in the store as records: accounts, profiles, rooms, offline messages, the audit log."""
