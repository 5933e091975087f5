"""What each user of the broker may do, tried for real."""
