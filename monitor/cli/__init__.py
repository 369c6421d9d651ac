"""The command line, one file per command: flags, help and printing only; data on stdout, talk on stderr.

Exit codes: 0 done, 1 the input was wrong or a check failed, 2 the command was called wrongly, 3 the other side is away.
"""
