"""What people do about proofs and maintenance.

windows.py: when no other's approval is needed · rests.py: which routers are in maintenance · proposing.py: the changes
"""
