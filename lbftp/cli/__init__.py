"""`manage.py lbftp …`: the pages' services from a shell.

Exit status: 0 done, 1 failed, 2 wrong use, 3 refused (not approved, stale plan, no permission).
"""
