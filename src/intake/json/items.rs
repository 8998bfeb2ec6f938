//! What a list or an object holds: its own, or lent out of the memory of a whole text.

use std::fmt;
use std::ops::Deref;

/// Elements or members in order. Dropping lent ones takes nothing, however many there are.
#[derive(Clone)]
pub enum Items<'a, T> {
    /// In the memory of the text.
    Lent(&'a [T]),
    /// Made by themselves.
    Own(Vec<T>),
}

impl<T> Deref for Items<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Lent(items) => items,
            Self::Own(items) => items,
        }
    }
}

impl<T: Clone> Items<'_, T> {
    /// Returns them as a list of its own.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::Lent(items) => items.to_vec(),
            Self::Own(items) => items,
        }
    }

    /// Changes them as a list of its own.
    pub fn change<R>(&mut self, work: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let mut own = std::mem::replace(self, Self::Own(Vec::new())).into_vec();
        let result = work(&mut own);
        *self = Self::Own(own);
        result
    }
}

impl<T: Clone> IntoIterator for Items<'_, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'i, T> IntoIterator for &'i Items<'_, T> {
    type Item = &'i T;
    type IntoIter = std::slice::Iter<'i, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> From<Vec<T>> for Items<'_, T> {
    fn from(items: Vec<T>) -> Self {
        Self::Own(items)
    }
}

impl<T> FromIterator<T> for Items<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::Own(items.into_iter().collect())
    }
}

impl<T: PartialEq> PartialEq for Items<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Items<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
