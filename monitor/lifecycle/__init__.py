"""The life of a pilot as data: states and arrows, who may do which act, and the configuration of a sandbox. Pure.

`names.py` has the closed lists of words, `arrows.py` the table of arrows, `life.py` steps a pilot along it, `acts.py`
is the table of acts, `diagram.py` draws the arrows. `sandbox.py` is the configuration, `sandbox_check.py` validates
it, `sandbox_acts.py` changes it, `prohibited.py` is the negative list of the EU. See README.md.
"""
