"""What a tree means, one package per content type."""
