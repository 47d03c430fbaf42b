"""Dead letters of the hub and of the regions: list, show, replay, drop."""
