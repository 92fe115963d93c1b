"""From pictures to boxes: detectors, and what spares them work."""
