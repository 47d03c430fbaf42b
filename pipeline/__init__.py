"""What is done with changes: hub, translate, publish, replicate, quality, reconcile, report."""
