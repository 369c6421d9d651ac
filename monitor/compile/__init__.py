"""Compiles a charter: loads the file, checks it, and turns it into the plan that the stages run on."""
