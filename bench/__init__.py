"""The benchmarks: every figure beside its raw limit or a peer, in one run. `python -m bench`, and `python -m bench.peers`."""
