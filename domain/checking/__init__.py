"""A look at everything that a job needs, before there is a job."""
