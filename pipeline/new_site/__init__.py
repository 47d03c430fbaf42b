"""What `isthmus init` makes: a site over a legacy database that is there already."""
