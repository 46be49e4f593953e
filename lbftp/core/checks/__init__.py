"""What is checked about a pair of routers (`state`), and the one catalogue of all codes (`catalogue`)."""
