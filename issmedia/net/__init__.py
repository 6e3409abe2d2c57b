"""The wire; the only package that opens sockets."""
