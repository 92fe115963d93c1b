"""From a trained model to one ONNX file, behind the parity gate."""
