"""Layers and memory of a CPU: half precision, int8, oneDNN, the screened head, fused Gemma 3 layers."""
