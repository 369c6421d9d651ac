"""Legal basis: a catalogue of scored clauses, and what the rules of a charter and a sandbox cite. Pure."""
