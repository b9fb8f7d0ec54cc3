"""The platform's own formats, in and out: the one package that adapters share."""
