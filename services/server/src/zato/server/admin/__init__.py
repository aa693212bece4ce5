"""The platform's own services, named `zato.*`: how people and programs manage it."""
