"""What somebody sees who runs the installation, on however many machines: whether a process can serve, figures, health."""
