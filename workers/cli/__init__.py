"""Commands that run the cluster; the front door loads them on demand."""
