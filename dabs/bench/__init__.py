"""What `dabs bench` and the scripts in benchmarks/ time: training steps, features, reading, on made-up data."""
