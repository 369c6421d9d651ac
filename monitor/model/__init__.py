"""The values that cross stages and logs: events, records, periods, signatures. Pure."""
