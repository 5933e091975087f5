"""Programs that stand in for the services, for tests of what starts them and keeps them alive."""
