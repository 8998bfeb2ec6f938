//! Where things stand in a TOML file.

use toml::de::{DeArray, DeTable, DeValue};

/// A file that can be asked where something stands in it.
pub struct Places<'t> {
    text: &'t str,
    root: Option<toml::Spanned<DeTable<'t>>>,
}

/// A line and a column, both from 1.
pub type Place = (usize, usize);

impl<'t> Places<'t> {
    /// Looks through a file. One that is no TOML has no places but its first.
    pub fn of(text: &'t str) -> Self {
        Self {
            text,
            root: DeTable::parse(text).ok(),
        }
    }

    /// Returns the place of a byte.
    pub fn at(&self, byte: usize) -> Place {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }

    /// Returns where a value stands: the way to it as names and numbers. Where the way ends earlier, what is nearest.
    pub fn find(&self, way: &[&str]) -> Place {
        self.span(way).map_or((1, 1), |(start, _)| self.at(start))
    }

    /// Returns a place within a text, so many bytes into it.
    pub fn within(&self, way: &[&str], into: usize) -> Place {
        match self.span(way) {
            Some((start, true)) => self.at(self.inside(start, into)),
            _ => self.find(way),
        }
    }

    /// Returns where the nearest thing on the way begins, and whether it is the end of the way.
    fn span(&self, way: &[&str]) -> Option<(usize, bool)> {
        let root = self.root.as_ref()?;
        let (mut table, mut list): (Option<&DeTable<'_>>, Option<&DeArray<'_>>) =
            (Some(root.get_ref()), None);
        let mut found = 0;
        for part in way {
            let value = match (table, list) {
                (Some(table), _) => table.get(*part),
                (None, Some(list)) => part.parse::<usize>().ok().and_then(|i| list.get(i)),
                (None, None) => None,
            };
            let Some(value) = value else {
                return Some((found, false));
            };
            found = value.span().start;
            (table, list) = match value.get_ref() {
                DeValue::Table(table) => (Some(table), None),
                DeValue::Array(list) => (None, Some(list)),
                _ => (None, None),
            };
        }
        Some((found, true))
    }

    /// Steps over the quotes at a value's beginning. Escapes in a text move what follows them by a little.
    fn inside(&self, start: usize, into: usize) -> usize {
        let text = self.text.get(start..).unwrap_or_default();
        let quotes = ["'''\n", "\"\"\"\n", "'''", "\"\"\"", "'", "\""];
        let skip = quotes
            .iter()
            .find(|q| text.starts_with(**q))
            .map_or(0, |q| q.len());
        start + if skip > 0 { skip + into } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_where() {
        let text = "[[rule]]\nid = 'a'\nwhen = 'x == 1'\n[[rule]]\nwhen = '''\nabc\ndef'''\nwhat = { if = \"q\" }\n";
        let places = Places::of(text);
        assert_eq!(places.within(&["rule", "0", "when"], 5), (3, 14));
        assert_eq!(places.within(&["rule", "1", "when"], 4), (7, 1));
        assert_eq!(places.find(&["rule", "1", "what", "if"]), (8, 15));
        assert_eq!(places.within(&["rule", "0", "missing"], 9).0, 1);
        assert_eq!(Places::of("= broken").find(&["x"]), (1, 1));
    }
}
