"""Proof: what left and arrived, shown to somebody who does not trust us, and compared with the source every day."""
