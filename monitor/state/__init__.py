"""What the machine remembers of a pilot, and the rules of its parts. Pure."""
