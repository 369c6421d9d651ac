"""The verifier: checks with stable ids over ledgers, published logs and bundles. Imports none of the code that decides
or writes. `README.md` shows its output and documents every check, exit code and format."""
