"""Inference services: their instances, their requests, and what became of these."""
