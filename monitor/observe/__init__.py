"""The observe stage: events become counts of open periods, one by one or in batches. Pure."""
