"""The database of all programs: its schema, who may do what in it, and the one loader of SQL."""
