"""pyinfra operations: each makes one resource of a host as declared. Importable one by one by any pyinfra user."""
