//! Room for lists that grow as long as alerts come.
//!
//! A list without room is moved as a whole: at two million alerts that is a quarter of a second in which no key is
//! answered. One that is long is therefore given room for more than will come, once; memory that nobody wrote to takes
//! nothing of a machine.

/// Entries from which on a list is long: moving fewer takes less than a frame.
const LONG: usize = 1 << 16;

/// Entries for which a long list has room: three minutes of 50,000 alerts a second.
const MOST: usize = 1 << 23;

/// Bytes of text for which there is room with each entry.
const BYTES_EACH: usize = 32;

/// Adds an entry.
pub fn push<T>(list: &mut Vec<T>, entry: T) {
    see_to(list, 1);
    list.push(entry);
}

/// Makes a list at least so long; what is new in it is `entry`.
pub fn grow<T: Clone>(list: &mut Vec<T>, len: usize, entry: T) {
    if list.len() < len {
        let more = len - list.len();
        see_to(list, more);
        list.resize(len, entry);
    }
}

/// Adds a text behind others.
pub fn push_text(text: &mut String, more: &str) {
    if let Some(wanted) = wanted(text.len(), text.capacity(), more.len(), BYTES_EACH) {
        // As below.
        let _ = text.try_reserve_exact(wanted);
    }
    text.push_str(more);
}

fn see_to<T>(list: &mut Vec<T>, more: usize) {
    if let Some(wanted) = wanted(list.len(), list.capacity(), more, 1) {
        // Where a machine gives so much to nobody, the list grows step by step.
        let _ = list.try_reserve_exact(wanted);
    }
}

/// Returns for how much more there should be room, where it is to be seen to.
const fn wanted(len: usize, capacity: usize, more: usize, each: usize) -> Option<usize> {
    let is_long = len >= LONG * each && capacity < MOST * each;
    if is_long && capacity - len < more {
        Some(MOST * each - len)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_stays_where_it_is() {
        let (mut list, mut moved) = (Vec::<u32>::new(), Vec::new());
        for n in 0..3_000_000 {
            let before = list.as_ptr();
            push(&mut list, n);
            if before != list.as_ptr() {
                moved.push(list.len());
            }
        }
        assert!(moved.last() <= Some(&(LONG + 1)), "{moved:?}");
        assert!(list.iter().copied().eq(0..3_000_000));
    }

    #[test]
    fn room_is_seen_to_once() {
        // (length, room, how many come, what is asked for)
        let cases = [
            (0, 0, 1, None),
            (LONG - 1, LONG - 1, 1, None),
            (LONG, LONG, 1, Some(MOST - LONG)),
            (LONG, LONG + 9, 9, None),
            (LONG, LONG + 9, 10, Some(MOST - LONG)),
            (MOST - 1, MOST, 1, None),
            // Beyond it grows as lists do.
            (MOST, MOST, 1, None),
        ];
        for (len, capacity, more, asked) in cases {
            assert_eq!(
                wanted(len, capacity, more, 1),
                asked,
                "{len} of {capacity}, {more} more"
            );
        }
    }
}
