"""What nodes that need the gate share."""
