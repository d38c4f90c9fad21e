"""The hotline: a call is taken, and goes to exactly one desk of this agency. Nothing of it crosses to another."""
