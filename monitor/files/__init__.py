"""Files that survive a crash: durable writes, locks, key files and side files."""
