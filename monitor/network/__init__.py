"""Who is responsible for a pilot, who must learn of each decision, and how alerts reach them. Pure."""
