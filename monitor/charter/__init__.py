"""The sandbox plan as code: what a charter says, the acts on `control`, and the shipped templates. Pure."""
