//! Text that somebody outside chose to hurt the terminal, mixed into everything that a world takes from outside.

use std::cell::RefCell;

thread_local! {
    /// What is mixed in; nothing unless a test says so.
    pub static EVIL: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Returns text as it comes from outside.
pub fn spice(text: &str) -> String {
    EVIL.with_borrow(|evil| format!("{text}{evil}"))
}

/// Returns text that tries everything, to stand between quotes in TOML.
pub fn toml() -> String {
    let text = spice("\u{1b}]0;pwned\u{7} \u{202e}gpj.exe\u{200b}\r\nrow");
    text.chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_ascii() && !c.is_ascii_control() => c.to_string(),
            c => format!("\\U{:08x}", u32::from(c)),
        })
        .collect()
}
