"""What a user would otherwise write: small, honest handlers without any safety."""
