"""The record of a firm over all its pilots, and the class that follows from it by rule. Pure."""
