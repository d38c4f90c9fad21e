"""Stock of the place that supplies stations, their requests, and the supervision of their boxes. Nobody is in any of it."""
