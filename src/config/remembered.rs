//! What a console remembers about its own screen: `console.toml` in the state folder.

use std::path::{Path, PathBuf};

use super::put;
use crate::app::layout::Layout;

/// Largest file that is read, in bytes; what is written has some sixty.
const LARGEST: u64 = 4_096;

/// Returns where it is kept.
pub fn path(state: &Path) -> PathBuf {
    state.join("console.toml")
}

/// Reads what was remembered. A file that cannot be used is worth a line and nothing more: the screen is as usual then.
pub fn load(path: &Path) -> (Layout, Option<String>) {
    let fail = |why: String| {
        let name = path.display();
        let text = format!("{name} is ignored, the screen looks as usual: {why}");
        (Layout::default(), Some(text))
    };
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return (Layout::default(), None);
        }
        Err(error) => return fail(error.to_string()),
        Ok(found) if found.len() > LARGEST => return fail(format!("larger than {LARGEST} bytes")),
        Ok(_) => {}
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return fail(error.to_string()),
    };
    match toml::from_str::<Layout>(&text) {
        Ok(layout) => (layout.bounded(), None),
        Err(error) => fail(error.message().to_owned()),
    }
}

/// Writes it down, whole or not at all.
pub fn keep(path: &Path, layout: Layout) -> std::io::Result<()> {
    let text = toml::to_string(&layout).map_err(std::io::Error::other)?;
    put::in_place(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_what_is_broken_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        assert_eq!(load(&path), (Layout::default(), None));
        let own = Layout {
            queue_percent: 60,
            zoomed: true,
            tour_done: true,
        };
        keep(&path, own).unwrap();
        assert_eq!(load(&path), (own, None));
        for bad in ["queue_percent = 'x'", "\u{0}", &"#".repeat(5_000)] {
            std::fs::write(&path, bad).unwrap();
            let (layout, said) = load(&path);
            assert_eq!(layout, Layout::default());
            assert!(said.unwrap().contains("console.toml is ignored"));
        }
    }
}
