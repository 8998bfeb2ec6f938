//! Who hands out memory, and when what nobody needs any more goes back to the system.

/// Takes and gives back all memory of the program. A million alerts are made by one thread and dropped by another; the
/// allocator of the C library spends nearly as long on that as on reading them, and keeps what it gets back.
pub use tikv_jemallocator::Jemalloc as Allocator;

use tikv_jemalloc_ctl::{Access as _, AsName as _};

/// How long freed memory is kept for the next who asks, in milliseconds. Long enough that one batch of alerts takes the
/// memory of the one before, and soon enough that a console which read a million of them is small when somebody looks.
const KEPT_MS: isize = 1_000;

/// Sets how long freed memory is kept, for whatever is allocated from here on. Called once, at the start.
pub fn set_up() {
    // The first is where a program begins, the other what threads begin with that come later.
    for name in ["arena.0.dirty_decay_ms\0", "arenas.dirty_decay_ms\0"] {
        if let Err(error) = name.name().write(KEPT_MS) {
            // Memory then goes back later, and nothing else is different.
            tracing::debug!("memory is kept as long as the allocator likes: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_as_long_as_is_said() {
        set_up();
        for name in ["arena.0.dirty_decay_ms\0", "arenas.dirty_decay_ms\0"] {
            let kept: isize = name.name().read().unwrap();
            assert_eq!(kept, KEPT_MS, "{name}");
        }
    }
}
