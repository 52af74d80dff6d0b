"""How much the product grows with the number of services, as one table."""
