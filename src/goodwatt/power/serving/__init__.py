"""What an instance of an inference service takes: seconds and joules of an iteration, memory of its KV cache."""
