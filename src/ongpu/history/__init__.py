"""What happened to the fleet: SQLite on the controller. It never stops a run; a broken database is said once."""
