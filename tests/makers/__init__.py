"""What tests build: real packages, real repositories, upstreams that misbehave."""
