"""What is deployed as a whole: a file of services, or a package of modules and data. Reading uploads, and what is in them."""
