"""Toolkits by sector, as data: a charter template with its hazards, indicators, scenarios, hard rules and playbook.

One folder per toolkit: `toolkit.yaml`, `charter.yaml`, `playbook.md`. `load.py` reads one strictly, `deviations.py`
says how a charter differs from the template of its toolkit. Pure, except for reading the files.
"""
