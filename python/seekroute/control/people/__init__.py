"""People: accounts, passwords, sessions, roles in organizations, invitations."""
