"""What every part may use: files, strict JSON, signals, the environment."""
