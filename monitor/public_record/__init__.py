"""What is told about a sandbox as a whole, from ledgers: annual report, public register, reasons for halts."""
