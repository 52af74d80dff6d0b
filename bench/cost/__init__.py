"""What the product costs, beside what a user would otherwise write."""
