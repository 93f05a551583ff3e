"""Evaluation: frozen features, probes, fine-tuning, metrics, results."""
