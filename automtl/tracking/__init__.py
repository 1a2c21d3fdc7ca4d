"""What a search tells other tools: MLflow, TensorBoard. Fed by our own events, never in its way."""
