"""Three agencies and one synthetic survivor on one machine."""
