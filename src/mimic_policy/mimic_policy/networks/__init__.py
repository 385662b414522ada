"""The networks of a policy: picture encoders, the U-Net, and both together."""
