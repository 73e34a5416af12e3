"""What runs inside a sandbox, and what keeps one: a subprocess that serves one function's invocations in turn."""
