"""The commands of the producer: parse, call, print. The front door loads each on demand."""
