"""The main job from nothing to the report, with accidents on purpose."""
