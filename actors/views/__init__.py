"""The read side: documents folded from a context's events, found and read without asking any entity.

The words it uses:

- *view*: a context author's fold from events to documents (``contexts.vocabulary.View``);
- *document*: what a view keeps under one key: JSON, in a canonical form, so that equal ones have equal bytes;
- *generation*: one build of a view, by one fold. The *live* one answers; another may be *building* beside it;
- *position*: (shard, sequence); a *vector* of them, one per shard, says what a generation has folded;
- *projector*: the actor that folds one shard into one generation (``projector.py``);
- *batch*: what projectors have to fold at one moment, in one transaction with their positions (``batch.py``);
- *store*: where a context's documents are (``port.py``): memory, SQLite, PostgreSQL;
- *parked*: a projector that met an event it cannot fold, and waits for an operator;
- *tombstone*: the row of a document that is gone; it keeps the columns, not the document.
"""
