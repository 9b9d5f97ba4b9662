"""Other ways to do the same work, each a process of its own; two of them live in environments of their own."""
