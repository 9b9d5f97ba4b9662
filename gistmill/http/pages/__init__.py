"""Pages for people: batches, the documents of a batch, one document beside its source, and the upload.

Where to find:
- routes: ``overview`` (batches, upload), ``batch_page``, ``job_page``, ``steering`` (forms that change something);
- ``rendering`` (templates, errors as pages) and ``assets`` (style and script under names with their hash).

The templates build on those of ``producer.report``, so that the exported report looks the same. Every page works
without its script, which only renews what has changed and lights up passages.
"""
