"""The rules that judge a document before it leaves: ours on the model, the official ones on the bytes."""
