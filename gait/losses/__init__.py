"""What training minimises; one file each, found through the registry.

A loss is a module with

- `fields`: the fields of a `ModelOutput` that it reads, in the order of its arguments; an
  experiment may name others (`losses.<name>.field`);
- `global_batch`: whether it relates sequences to each other, and therefore has to see those of all
  processes at once;
- `min_subjects`, `min_sequences` and `min_batch`, where it learns nothing from less: subjects in a
  batch, sequences of each of them, and sequences in all;
- `forward(*values, labels) -> LossOutput`: the values of the fields, then the class index of each
  sequence, int64 [n].

The first axis of a field is n, or another number of rows that is the same for each sequence, such
as one per frame or one per pair of views; a loss that reads such a field has no use for labels.
"""
