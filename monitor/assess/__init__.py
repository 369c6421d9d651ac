"""Evaluation of a pilot for an assessment or an exit: rates with intervals valid at any time, power, conditions."""
