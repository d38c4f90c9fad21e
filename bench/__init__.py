"""The benchmarks: the exchange beside its raw limit, in one run on one machine. Run as `python -m bench`."""
