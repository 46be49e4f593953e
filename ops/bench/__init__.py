"""`make bench`: how fast the work that lbftp exists for is done, against the plainest tool that could do it."""
