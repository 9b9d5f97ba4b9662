"""What happens when things die: every row of the failure matrix on real servers, and a soak of random faults."""
