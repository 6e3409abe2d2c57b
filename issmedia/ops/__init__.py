"""One verb each; operations do not import one another."""
