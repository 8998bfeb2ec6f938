//! Seeds come later.
