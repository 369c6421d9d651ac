"""How fast the stream worker is, beside others at the same job on the same topics: `make bench-stream`."""
