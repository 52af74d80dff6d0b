"""Studies that measure the product from outside. Nothing here is shipped."""
