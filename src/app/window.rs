//! Which lines of the queue are on the screen. The cursor moves over them, and they move only when it comes near their end:
//! a line that stays where it is is read again at a glance, and costs nothing over a slow link.

/// So many lines stay in sight beyond the cursor, where there are as many.
const NEAR: usize = 3;

/// The lines of the queue on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How many lines there were when they were drawn last; 0 while none were.
    pub rows: usize,
    /// How many of them stand above the cursor; in the middle it is where nothing says so.
    above: Option<usize>,
}

impl Window {
    /// Returns which of `all` lines is shown first in `rows`, with the cursor on the line `at`.
    pub fn first(&self, at: usize, all: usize, rows: usize) -> usize {
        let above = self.above.unwrap_or(rows / 2);
        let above = above.min(rows.saturating_sub(1));
        at.saturating_sub(above).min(all.saturating_sub(rows))
    }

    /// Follows the cursor from one of `all` lines to another. Where that is far away, the cursor is in the middle again.
    pub fn follow(&mut self, from: usize, to: usize, all: usize) {
        let rows = self.rows;
        let Some(last) = rows.checked_sub(1) else {
            return;
        };
        let first = self.first(from, all, rows);
        let near = NEAR.min(last / 2);
        let is_far = to + rows < first || to >= first + 2 * rows;
        let above = to.saturating_sub(first).clamp(near, last - near);
        self.above = (!is_far).then_some(above);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    // Down from the top: the lines stay until the cursor is near the end, then they go with it.
    #[case(10, 100, &[1, 5, 6], 0)]
    #[case(10, 100, &[6, 7], 1)]
    #[case(10, 100, &[6, 7, 8, 9], 3)]
    // Up again: they stay until it is near their beginning.
    #[case(10, 100, &[6, 7, 8, 9, 8, 7, 6], 3)]
    #[case(10, 100, &[6, 7, 8, 9, 8, 7, 6, 5], 2)]
    // Far away it stands in the middle, and at both ends of the queue everything is shown.
    #[case(10, 100, &[50], 45)]
    #[case(10, 100, &[99], 90)]
    #[case(10, 100, &[99, 98, 97], 90)]
    #[case(10, 100, &[99, 92], 89)]
    #[case(10, 4, &[3], 0)]
    #[case(1, 100, &[1, 2], 2)]
    #[case(2, 100, &[1, 2], 1)]
    // Nothing was drawn: in the middle.
    #[case(0, 100, &[7], 7)]
    fn the_lines_follow_the_cursor(
        #[case] rows: usize,
        #[case] all: usize,
        #[case] way: &[usize],
        #[case] first: usize,
    ) {
        let mut window = Window { rows, above: None };
        let mut at = 0;
        for to in way {
            window.follow(at, *to, all);
            at = *to;
            let first = window.first(at, all, rows);
            assert!(rows == 0 || (first..first + rows).contains(&at));
        }
        assert_eq!(window.first(at, all, rows), first);
    }
}
