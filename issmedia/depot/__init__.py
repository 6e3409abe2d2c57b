"""What a site owns: store, catalog, published trees, keys."""
