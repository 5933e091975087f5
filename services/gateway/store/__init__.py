"""The gateway's tables and the queries on them."""
