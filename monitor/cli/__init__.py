"""The command line, one file per command: flags, help and printing only; data on stdout, messages on stderr.

Exit codes: 0 done, 1 wrong input or a failed check, 2 usage error, 3 server unavailable, 4 `replay --twice` gave two
results.
"""
