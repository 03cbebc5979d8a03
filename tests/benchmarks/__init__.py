"""How fast, beside a peer or a limit measured in the same run: ``python -m tests.benchmarks``. No test is timed."""
