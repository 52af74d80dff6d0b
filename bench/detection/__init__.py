"""How rarely the responder is wrong about a new version, and how soon it is right."""
