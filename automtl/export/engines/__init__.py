"""Who computes a bundle's predictions: torch, or ONNX Runtime. A file each."""
