"""The laws of the delivery machine: who may move what, in which order, and what happens next in every state."""
