"""`make demo`: the main job on virtual routers, done as people would do it, each step judged aloud."""
