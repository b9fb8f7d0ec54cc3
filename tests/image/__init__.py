"""What the image would contain, and how it runs: no container engine is needed."""
