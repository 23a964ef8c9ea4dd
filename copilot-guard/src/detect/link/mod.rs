//! Links and images in text: where they stand, and whether their hosts are ours.
