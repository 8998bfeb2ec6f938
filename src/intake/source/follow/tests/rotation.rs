//! Rotation as it goes wrong: late writers, packers that take their time, files that are pruned, restarts in between.

use super::*;

impl Bench {
    /// Appends to a rotated file, later than everything so far.
    fn write_late(&mut self, suffix: &str, ids: &[&str]) {
        let path = self.path(suffix);
        append(&path, lines(ids).as_bytes());
        self.touch(&path);
    }

    fn shift(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Packs without keeping when the file was written.
    fn pack_anew(&mut self, suffix: &str) {
        self.pack(suffix);
        let packed = self.path(&format!("{suffix}.gz"));
        self.touch(&packed);
    }
}

#[test]
fn a_writer_that_never_reopens_is_read_through_several_rotations() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["b"]);
    bench.shift(".1", ".2");
    bench.rename(".1");
    bench.write(&lines(&["c"]));
    assert_eq!(bench.drain(), ["c"]);
    bench.write_late(".2", &["late"]);
    assert_eq!(bench.drain(), ["late"]);
    bench.shift(".2", ".3");
    bench.shift(".1", ".2");
    bench.rename(".1");
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["d"]);
    bench.write_late(".3", &["later"]);
    bench.restart();
    assert_eq!(bench.drain(), ["later"]);
}

#[test]
fn several_files_that_are_packed_late_are_not_read_again() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".3");
    bench.write(&lines(&["b"]));
    bench.drain();
    bench.rename(".2");
    bench.write(&lines(&["c"]));
    bench.drain();
    bench.pack_anew(".3");
    bench.pack_anew(".2");
    bench.rename(".1");
    append(&bench.path(""), lines(&["d"]).as_bytes());
    assert_eq!(bench.drain(), ["d"]);
    bench.restart();
    assert!(bench.drain().is_empty());
    assert!(bench.quarantined().is_empty());
}

/// The packer gave the file another name and writes beside it, as some log libraries do.
#[rstest]
#[case::with_a_reader(false)]
#[case::without_a_reader(true)]
fn a_file_that_is_being_packed_is_waited_for(#[case] restart: bool) {
    let mut bench = Bench::new();
    let many: Vec<String> = (0..3_000).map(|n| format!("n{n:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bench.write(&lines(&many));
    let first = bench.follower.step(&bench.store).unwrap();
    let begun = first.told.unwrap().alerts.len();
    let mut seen = match restart {
        true => Vec::new(),
        false => bench.drain(),
    };
    bench.rename("9.tmp");
    let packed = gzip(&fs::read(bench.path("9.tmp")).unwrap());
    // Written just now, by the clock of the system.
    fs::write(bench.path(".2026-01-01.gz"), &packed[..packed.len() / 2]).unwrap();
    append(&bench.path(""), lines(&["z"]).as_bytes());
    if restart {
        fs::remove_file(bench.path("9.tmp")).unwrap();
        bench.restart();
    }
    assert!(bench.drain().is_empty());
    fs::write(bench.path(".2026-01-01.gz"), &packed).unwrap();
    fs::remove_file(bench.path("9.tmp")).ok();
    seen.extend(bench.drain());
    assert_eq!(begun + seen.len(), 3_001);
    assert_eq!(seen.last().unwrap(), "z");
    assert!(bench.quarantined().is_empty());
}

#[test]
fn a_last_line_without_an_end_is_stored_once() {
    let mut bench = Bench::new();
    bench.write(line("a").trim_end());
    bench.drain();
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["a", "b"]);
    bench.restart();
    append(&bench.path(".1"), b"\n");
    assert!(bench.drain().is_empty());
    bench.shift(".1", ".2");
    bench.rename(".1");
    bench.write(&lines(&["c"]));
    bench.restart();
    assert_eq!(bench.drain(), ["c"]);
}

/// Somebody writes to the old file all the time: the new one is read all the same.
#[test]
fn a_late_writer_keeps_nobody_from_the_next_file() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    bench.drain();
    bench.rename(".0");
    bench.write(&lines(&["c"]));
    let mut seen = Vec::new();
    for n in 0..9 {
        bench.write_late(".1", &[&format!("late{n}")]);
        let step = bench.follower.step(&bench.store).unwrap();
        let told = step.told.into_iter().flat_map(|told| told.alerts);
        seen.extend(told.map(|row| row.alert.own_id().to_owned()));
    }
    assert!(seen.iter().any(|id| id == "c"), "{seen:?}");
    seen.extend(bench.drain());
    assert_eq!(seen.len(), 10, "{seen:?}");
}

#[test]
fn an_empty_rotated_file_is_nothing_to_go_on_from() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    bench.write("");
    assert!(bench.drain().is_empty());
    bench.shift(".1", ".2");
    bench.rename(".1");
    bench.write("");
    assert!(bench.drain().is_empty());
    bench.restart();
    // Meanwhile the empty one is packed, and one with lines was rotated.
    bench.pack_anew(".1");
    bench.write(&lines(&["b"]));
    bench.rename(".0");
    bench.write(&lines(&["c"]));
    assert_eq!(bench.drain(), ["b", "c"]);
    assert!(bench.quarantined().is_empty());
}

/// A kill after the next file was opened and before anything of it was stored.
#[rstest]
#[case::plain(false)]
#[case::packed(true)]
fn a_file_that_was_only_opened_is_found_after_a_restart(#[case] packed: bool) {
    let mut bench = Bench::new();
    bench.write(line("a").trim_end());
    bench.drain();
    bench.rename(".2");
    bench.write(&lines(&["b"]));
    bench.rename(".1");
    bench.write(&lines(&["c"]));
    if packed {
        bench.pack(".1");
    }
    // Stores the line of the first file, and has the second one open.
    let step = bench.follower.step(&bench.store).unwrap();
    assert_eq!(step.told.unwrap().alerts.len(), 1);
    if !packed {
        bench.pack(".1");
    }
    bench.restart();
    assert_eq!(bench.drain(), ["b", "c"]);
    assert!(bench.quarantined().is_empty());
}

#[test]
fn what_was_written_after_a_pruned_file_is_read() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["lost"]));
    bench.rename(".3");
    bench.write(&lines(&["b"]));
    bench.rename(".2");
    bench.pack(".2");
    bench.write(&lines(&["c"]));
    bench.rename(".1");
    bench.write(&lines(&["d"]));
    fs::remove_file(bench.path(".3")).unwrap();
    bench.restart();
    assert_eq!(bench.drain(), ["b", "c", "d"]);
    let told = bench.quarantined();
    assert!(told.len() == 1 && told[0].contains("is gone"), "{told:?}");
}

/// The file that was read is written to after the next one was: that one is next all the same.
#[test]
fn a_file_that_was_written_on_does_not_hide_the_next_one() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".2");
    bench.write(&lines(&["b"]));
    bench.rename(".1");
    bench.write(&lines(&["c"]));
    bench.write_late(".2", &["late"]);
    bench.restart();
    assert_eq!(bench.drain(), ["late", "b", "c"]);
}

#[test]
fn behind_a_link_the_folder_of_the_file_is_searched() {
    let mut bench = Bench::new();
    let real = bench.dir.path().join("real");
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(real.join("app.log"), bench.path("")).unwrap();
    append(&real.join("app.log"), lines(&["a"]).as_bytes());
    assert_eq!(bench.drain(), ["a"]);
    append(&real.join("app.log"), lines(&["b"]).as_bytes());
    fs::rename(real.join("app.log"), real.join("app.log.1")).unwrap();
    append(&real.join("app.log"), lines(&["c"]).as_bytes());
    bench.restart();
    assert_eq!(bench.drain(), ["b", "c"]);
    assert!(bench.quarantined().is_empty());
}
