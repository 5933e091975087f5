"""Every event three times and in any order leads to where once and in order leads."""
