"""pyinfra made to do this: read a host once, converge a resource, stay safe. Every workaround of it lives here."""
