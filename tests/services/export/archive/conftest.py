from support.archives import configured, in_bucket, running_stand, stand

__all__ = ["configured", "in_bucket", "running_stand", "stand"]
