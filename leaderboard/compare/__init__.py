"""Which of two algorithms is better, on which tasks, and with what certainty."""
