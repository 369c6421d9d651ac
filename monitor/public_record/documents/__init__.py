"""Documents about a halt, a pilot and a fleet, from ledgers alone, in English and Chinese."""
