"""Simulated pilots: seeded fleets with named scenarios, and a service that obeys halts."""
