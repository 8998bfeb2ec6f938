//! Lines for people on standard output and standard error.
//!
//! Whoever reads them may be gone, and the disk that they go to may be full. The macros of the standard library end the
//! program then, which in the middle of a containment would leave the rest of it undone; these go on.

/// Writes a line to standard error, as `eprintln!` does, and goes on where nobody can read it.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        // Nobody is left to be told that nobody could be told.
        let _ = writeln!(std::io::stderr().lock(), $($text)*);
    }};
}

/// Writes a line to standard output, as `println!` does, and goes on where nobody can read it.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        // As above.
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}
