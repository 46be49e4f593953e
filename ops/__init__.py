"""What surrounds the site: installing, starting and stopping it, the demonstration and the benchmark."""
