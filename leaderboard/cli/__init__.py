"""The verbs that read results: submit, reproduce, compare, leaderboard."""
