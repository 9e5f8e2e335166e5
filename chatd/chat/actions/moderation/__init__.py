"""What moderators, owners and operators do: kicks, roles, invitations, bans, settings of rooms."""
