"""Berth's worker for Python: serves one revision of one function, as the worker protocol asks."""
