"""The GPU benchmark, one concept a module; ``tests.bench.bench_gpu`` runs it (see README.md beside this file)."""
