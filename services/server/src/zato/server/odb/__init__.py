"""The ODB: the one database that holds the configuration of a cluster. Only servers open it."""
