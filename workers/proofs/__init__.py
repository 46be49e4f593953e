"""Proofs that disturb a pair on purpose, and router maintenance. Each leaves the pair as it was or says what is not."""
