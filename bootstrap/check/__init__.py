"""``streamfit check``: what a job would find, without the job."""
