"""A model as an ONNX graph over the weights of its bundle, made from its plan: no torch."""
