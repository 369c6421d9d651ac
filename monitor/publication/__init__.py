"""The publication: ledgers as two levels of C2SP logs, as static files that any client of tlog-tiles can follow."""
