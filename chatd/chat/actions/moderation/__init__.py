"""Actions of moderators, owners and operators: kicks, roles, invitations, bans, room settings."""
