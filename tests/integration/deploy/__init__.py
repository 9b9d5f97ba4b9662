"""What is deployed is what the tests run: compose, images, Kubernetes, monitoring, a cluster of separate hosts."""
