"""Which of two algorithms is better, on which tasks, and how sure that is."""
