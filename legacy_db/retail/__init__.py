"""The reference legacy system: a twenty-year-old ERP on PostgreSQL, its data and its workload."""
