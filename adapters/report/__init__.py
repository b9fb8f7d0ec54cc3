"""
What was done in a run: one page to look at, and the same for machines.

A document is made of the job's story (`making`), and a page of the document (`page`);
neither needs the network, nor anything of the job but its story.  Modules are imported
one by one: a job that waits does without most of them.
"""
